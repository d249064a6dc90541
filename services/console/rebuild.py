"""`console rebuild` and `console as-of`: a projection or the users of a moment, built from the log.

The program of the service that owns them does either; these commands pass the addresses of the broker and the database.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from services.chassis.kafka.admin import KafkaAdmin
from services.chassis.messages.record import partitions_of
from services.chassis.projection.command import Options
from services.chassis.settings.environment import PREFIX
from services.console.failures import UsageError
from services.console.settings import ConsoleSettings
from services.contracts.catalog import USER_EVENTS
from services.contracts.service_list import SERVICES

OWNERS = {"users": "user", "replica": "notification"}  # by projection; a made service's has the service's name
KAFKA = "APP_KAFKA_"
PARTITIONS = partitions_of(USER_EVENTS.name, USER_EVENTS.partitions)


Store = Annotated[
    str | None, typer.Option(help="The service's store; without, that of `make run`.", show_default=False)
]


def rebuild(settings: ConsoleSettings, name: str | None, options: Options, database_url: str | None) -> NoReturn:
    """Become the service's program, which ends with 0 done or equal, 1 not equal, 2 it could not be done.

    Raises UsageError, FileNotFoundError, and KafkaAdmin's errors while the broker is unreachable.
    """
    if name is None and not options.check:
        raise UsageError("name what to rebuild: users, replica, or a service of `make new-service`; or add --check")
    service = _owner(name or "users")
    client = settings.client
    KafkaAdmin(client, "console").ends(PARTITIONS)  # reports an unreachable broker as every command does
    argv = [sys.executable, "-m", f"services.{service}", "rebuild", name or "users", *options.arguments()]
    variables = _environment(client, database_url or _of_the_run(settings, service))
    os.execve(sys.executable, argv, variables)  # noqa: S606  # our own program, no shell


def _owner(name: str) -> str:
    """Return the service that has a projection. Raises UsageError."""
    made = [service for service in SERVICES if service not in {*OWNERS.values(), "audit"}]
    if name in OWNERS or name in made:
        return OWNERS.get(name, name)
    raise UsageError(f"no service has a projection {name!r}: name {', '.join([*OWNERS, *made])}")


def build_as_of(client: ConsoleSettings, into: str, arguments: Sequence[str]) -> NoReturn:
    """Become the program that builds the users of a moment: signals reach it, and its exit code is that of the command.

    Raises KafkaAdmin's errors while the broker is unreachable.
    """
    KafkaAdmin(client, "console").ends(PARTITIONS)
    argv = [sys.executable, "-m", "services.user", "as-of", "--into", into, *arguments]
    os.execve(sys.executable, argv, _environment(client, into))  # noqa: S606  # our own program, no shell


def _environment(client: ConsoleSettings, database_url: str) -> dict[str, str]:
    """Return the environment of a program of the user service: the settings of Kafka and a database."""
    return (
        _without_settings()
        | {name: value for name, value in os.environ.items() if name.startswith(KAFKA)}
        | {"APP_KAFKA_BOOTSTRAP_SERVERS": client.kafka_bootstrap_servers, "APP_DATABASE_URL": database_url}
    )


def _of_the_run(settings: ConsoleSettings, service: str) -> str:
    path = settings.running_folder() / f"{service}.db"
    if not path.exists():
        raise FileNotFoundError(f"no {service} store in {path}: start one with `make run`, or name one: --database-url")
    return f"sqlite:///{path}"


def _without_settings() -> dict[str, str]:
    root = str(Path(__file__).parents[2])
    return {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)} | {"PYTHONPATH": root}
