"""`console rebuild --check` and `console as-of`: users from the log, compared with the store or built in a database.

The user service's own program does either; these commands pass the addresses of the broker and the database.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, NoReturn

import msgspec
import typer

from services.chassis.kafka.admin import KafkaAdmin
from services.chassis.messages.record import TopicPartition
from services.chassis.settings.environment import PREFIX
from services.console.failures import UsageError
from services.console.settings import ConsoleSettings
from services.contracts.catalog import USER_EVENTS

STORE = "user.db"
KAFKA = "APP_KAFKA_"
PARTITIONS = [TopicPartition(USER_EVENTS.name, number) for number in range(USER_EVENTS.partitions)]


class RebuildOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The options of `console rebuild`."""

    check: Annotated[bool, typer.Option("--check", help="Compare only: the store stays as it is.")] = False
    database_url: Annotated[
        str | None, typer.Option(help="The user service's store; without, that of `make run`.", show_default=False)
    ] = None


def rebuild(settings: ConsoleSettings, options: RebuildOptions) -> int:
    """Return the exit code: 0 equal, 1 not equal, 2 it could not be done.

    Raises UsageError, FileNotFoundError, and KafkaAdmin's errors while the broker is unreachable.
    """
    if not options.check:
        raise UsageError("add --check: the user service's own table is never overwritten")
    client = settings.client
    KafkaAdmin(client, "console").ends(PARTITIONS)  # reports an unreachable broker as every command does
    argv = (sys.executable, "-m", "services.user", "rebuild", "--check")
    variables = _environment(client, options.database_url or _of_the_run(settings))
    return subprocess.run(argv, env=variables, check=False).returncode  # noqa: S603  # ours


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


def _of_the_run(settings: ConsoleSettings) -> str:
    path = settings.running_folder() / STORE
    if not path.exists():
        raise FileNotFoundError(f"no user store in {path}: start one with `make run`, or name one: --database-url")
    return f"sqlite:///{path}"


def _without_settings() -> dict[str, str]:
    root = str(Path(__file__).parents[2])
    return {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)} | {"PYTHONPATH": root}
