"""The console's commands. An error that a person can mend is told in a line, without a traceback."""

import asyncio
import os
import signal
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated

import aiohttp
import msgspec
import typer
from rich.console import Console

from services.chassis.kafka.topics import BrokerUnavailableError, Topics, TopicsError
from services.chassis.settings import SettingsError, load
from services.console.demo.display import Display
from services.console.demo.driver import RefusedError
from services.console.demo.report import print_result
from services.console.demo.run import Demo
from services.console.local import sink as mail_sink
from services.console.local.ports import PortTakenError
from services.console.local.processes import ProcessError
from services.console.local.system import bootstrap_servers, verify_audit
from services.console.settings import ConsoleSettings
from services.contracts import catalog

EXPECTED = (
    BrokerUnavailableError,
    FileNotFoundError,
    PortTakenError,
    ProcessError,
    RefusedError,
    SettingsError,
    TopicsError,
    aiohttp.ClientError,
)
app = typer.Typer(help=__doc__, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.command()
def demo() -> None:
    """Run the whole system on this machine and count what happened."""
    console = Console()
    with _told(), Display(console) as display:
        settings = load(ConsoleSettings, os.environ)
        result = Demo(settings, uuid.uuid4().hex[:8], display).play()
    print_result(console, result)
    sys.exit(1 if result.wrong() else 0)


@app.command()
def verify() -> None:
    """Verify the audit chain that the last demo left behind."""
    with _told():
        settings = load(ConsoleSettings, os.environ)
        done = verify_audit(settings, settings.demo_dir)
    sys.stdout.write(done.stdout)
    sys.stderr.write(done.stderr)
    sys.exit(done.returncode)


@app.command()
def topics() -> None:
    """Create the topics of the catalog that the broker does not have."""
    with _told():
        settings = load(ConsoleSettings, os.environ)
        client = msgspec.structs.replace(settings, kafka_bootstrap_servers=bootstrap_servers(settings))
        created = Topics(client, "console").ensure(catalog.TOPICS)
    sys.stdout.write(f"created: {', '.join(created) or 'nothing, all topics are there'}\n")


@app.command()
def sink(
    port: Annotated[int, typer.Argument(help="Where to listen.")],
    file: Annotated[Path, typer.Argument(help="Where to write a JSON line per mail.")],
) -> None:
    """Accept mail on this machine and write it down, until SIGTERM."""
    asyncio.run(mail_sink.serve(port, file))


@contextmanager
def _told() -> Iterator[None]:
    """Turn SIGTERM into an orderly way out, and an expected error into its message and exit code 1."""
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    except KeyboardInterrupt:
        sys.exit("stopped before the end")
    except EXPECTED as error:
        sys.exit(str(error))
    except BaseExceptionGroup as group:
        expected, others = group.split(EXPECTED)
        if others is not None or expected is None:
            raise
        sys.exit("\n".join(str(error) for error in _leaves(expected)))


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error


if __name__ == "__main__":
    app()
