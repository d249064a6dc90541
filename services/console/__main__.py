"""The console's commands. What they do stands in the modules that they call; how they fail, in `failures`."""

import asyncio
import os
import sys
import uuid
from functools import partial
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich import box
from rich.console import Console
from rich.table import Table

from services.chassis import logs
from services.chassis.clock import utc_now
from services.chassis.kafka.topics import Topics
from services.chassis.runtime import serve
from services.chassis.settings import load as load_settings
from services.chassis.telemetry import telemetry
from services.console import events, lag, parked, probe, rebuild
from services.console import topics as provisioning
from services.console.backlog import Backlog
from services.console.demo.display import Display
from services.console.demo.report import print_result, print_verdict
from services.console.demo.run import Demo
from services.console.failures import WRONG, told
from services.console.flags import flags
from services.console.live.run import Run
from services.console.load.command import load
from services.console.load.options import LoadOptions
from services.console.local import sink as mail_sink
from services.console.local.system import bootstrap_servers, verify_audit
from services.console.settings import ConsoleSettings

app = typer.Typer(
    help="What a person runs.", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False
)


@app.command()
def demo() -> None:
    """Run the whole system on this machine and count what happened."""
    console = Console()
    with told(), Display(console) as display:
        result = Demo(_settings(), uuid.uuid4().hex[:8], display).play()
    print_result(console, result)
    sys.exit(WRONG if result.wrong() else 0)


@app.command()
def run() -> None:
    """Start the whole system on this machine and stay up until Ctrl-C; its state is kept."""
    console = Console()
    with told():
        problems = Run(_settings(), console).stay()
    for problem in problems:
        console.print(f"[bold red]WRONG[/] {problem}", highlight=False, soft_wrap=True)
    sys.exit(WRONG if problems else 0)


@app.command()
def verify() -> None:
    """Verify the audit chain that the last demo left behind."""
    with told():
        settings = _settings()
        done = verify_audit(settings, settings.folder("demo"))
    sys.stdout.write(done.stdout)
    sys.stderr.write(done.stderr)
    sys.exit(done.returncode)


def check_users(options: rebuild.RebuildOptions) -> None:
    """Fold user.events.v1 into a fresh table and compare it with the user service's own, row by row."""
    with told():
        code = rebuild.rebuild(_settings(), options)
    sys.exit(code)


@app.command()
def topics() -> None:
    """Create the topics of the catalog that the broker does not have, waiting for it up to APP_DEADLINE."""
    with told():
        client = _client()
        created = provisioning.ensure(Topics(client, "console"), client.deadline, partial(typer.echo, err=True))
    sys.stdout.write(f"created: {', '.join(created) or 'nothing, all topics are there'}\n")


@app.command(name="lag")
def show_lag() -> None:
    """Show how far each consumer group is behind, also while it is dead."""
    with told():
        client = _client()
        found = lag.lags(Topics(client, "console"), lag.Ages(client, utc_now))
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("Group")
    table.add_column("Topic", no_wrap=True)
    table.add_column("Records", justify="right")
    table.add_column("Oldest, s", justify="right")
    for one in found:
        table.add_row(one.group, one.topic, f"{one.records:,}", "?" if one.seconds is None else f"{one.seconds:,}")
    Console().print(table)


@app.command(name="probe")
def run_probe() -> None:
    """Serve the lag of every consumer group as metrics on APP_METRICS_PORT, until SIGTERM."""
    with told():
        settings = load_settings(probe.ProbeSettings, os.environ)
        logs.configure(probe.NAME, settings.log_level)
        code = serve(settings, telemetry(probe.NAME), probe.build)
    sys.exit(code)


def show_events(options: events.EventsOptions) -> None:
    """Show what stands on the topics, decoded, a line for each record."""
    with told():
        try:
            events.show(_client(), options, utc_now, typer.echo)
        except KeyboardInterrupt:
            sys.exit(0)  # how following ends


@app.command()
def backlog(records: Annotated[int, typer.Option(min=2, help="How many.")] = 200_000) -> None:
    """Let notification and audit consume a backlog, and check the memory that they take for it."""
    console = Console()
    with told(), Display(console) as display:
        problems = Backlog(_settings(), display).consume(records)
    print_verdict(console, problems)
    sys.exit(WRONG if problems else 0)


@app.command()
def sink(
    port: Annotated[int, typer.Argument(help="Where to listen.")],
    file: Annotated[Path, typer.Argument(help="Where to write a JSON line per mail.")],
) -> None:
    """Accept mail on this machine and write it down, until SIGTERM."""
    asyncio.run(mail_sink.serve(port, file))


def _settings() -> ConsoleSettings:
    return load_settings(ConsoleSettings, os.environ)


def _client() -> ConsoleSettings:
    settings = _settings()
    return msgspec.structs.replace(settings, kafka_bootstrap_servers=bootstrap_servers(settings))


app.command(name="load")(flags(LoadOptions, load))
app.add_typer(parked.app, name="parked")
app.command(name="rebuild")(flags(rebuild.RebuildOptions, check_users))
app.command(name="events")(flags(events.EventsOptions, show_events))

if __name__ == "__main__":
    app()
