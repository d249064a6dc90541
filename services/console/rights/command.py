"""`console rights`: its options, and the settings that it needs."""

import os
import sys
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from services.chassis.settings.environment import load
from services.console.failures import WRONG, reported
from services.console.rights import application, passwords, strimzi
from services.console.rights.application import Request
from services.console.rights.table import Table
from services.console.settings import ConsoleSettings
from services.contracts.access import PRINCIPALS


def rights(
    *,
    check: Annotated[bool, typer.Option("--check", help="Change nothing; exit code 1 if anything differs.")] = False,
    as_strimzi: Annotated[bool, typer.Option("--strimzi", help="Print KafkaUser resources instead.")] = False,
    cluster: Annotated[str, typer.Option(help="The Kafka resource of Strimzi that the users are for.")] = "events",
) -> None:
    """Create topics, rights and users, in this order, then ask the broker as each user; APP_KAFKA_USER is a super user.

    The users' passwords are files in the folder APP_RIGHTS_PASSWORDS, named as the principals are: user, audit, …
    """
    with reported():
        settings = load(ConsoleSettings, os.environ)
        table = Table(settings.rights_prefix, settings.kafka_group_prefix)
        if as_strimzi:
            sys.stdout.write(strimzi.resources(table, cluster))
            return
        folder = settings.rights_passwords
        request = Request(table, settings.client, passwords.read(Path(folder), PRINCIPALS) if folder else {})
        wait = partial(typer.echo, err=True)
        if not check:
            application.apply(request, typer.echo, wait)
        elif not application.check(request, typer.echo, wait):
            sys.exit(WRONG)
