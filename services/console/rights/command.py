"""`console rights`: its options, and the settings that it needs."""

import os
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from services.chassis.settings.environment import load
from services.console.failures import WRONG, UsageError, reported
from services.console.rights import application, passwords, strimzi
from services.console.rights.application import Request, Write
from services.console.rights.table import Table
from services.console.settings import ConsoleSettings
from services.contracts.access import PRINCIPALS

CLUSTER = "events"


def rights(
    *,
    check: Annotated[bool, typer.Option("--check", help="Change nothing; exit code 1 if anything differs.")] = False,
    as_strimzi: Annotated[bool, typer.Option("--strimzi", help="Print KafkaUser resources instead.")] = False,
    cluster: Annotated[str, typer.Option(help=f"With --strimzi: their Kafka resource; without, {CLUSTER}.")] = "",
) -> None:
    """Create topics, rights and users, in this order, then ask the broker as each user; APP_KAFKA_USER is a super user.

    The users' passwords are files in the folder APP_RIGHTS_PASSWORDS, named as the principals are: user, audit, …
    """
    with reported():
        settings = load(ConsoleSettings, os.environ)
        table = Table(settings.rights_prefix, settings.kafka_group_prefix)
        if as_strimzi:
            sys.stdout.write(strimzi.resources(table, cluster or CLUSTER))
            return
        if cluster:
            raise UsageError("--cluster is of --strimzi alone: add it, or omit --cluster to change the broker's rights")
        wait = partial(typer.echo, err=True)
        request = Request(table, settings.client, _passwords(settings.rights_passwords, wait))
        if not check:
            application.apply(request, typer.echo, wait)
        elif not application.check(request, typer.echo, wait):
            sys.exit(WRONG)


def _passwords(folder: str, write: Write) -> Mapping[str, str]:
    if not folder:
        write(f"no user is made and no login is tried: {passwords.SETTING} names no folder with passwords")
        return {}
    found = passwords.read(Path(folder), PRINCIPALS)
    for path in passwords.unused(Path(folder), PRINCIPALS):
        write(f"note: {path} is not used: the files are named {', '.join(PRINCIPALS)}")
    return found
