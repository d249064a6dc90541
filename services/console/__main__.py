"""Commands of the console. The modules that they call do the work; `failures` maps errors to exit codes."""

import os
import sys
from functools import partial
from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from services.chassis.kafka.admin import KafkaAdmin
from services.chassis.messages.clock import utc_now
from services.chassis.process.runtime import serve
from services.chassis.projection.command import Abandon, Check, DropOld, Options
from services.chassis.settings.environment import load as load_settings
from services.chassis.telemetry import logs
from services.chassis.telemetry.telemetry import telemetry
from services.console import events, journey, lag, rebuild
from services.console import topics as provisioning
from services.console.export import command as exporting
from services.console.failures import reported
from services.console.flags import flags
from services.console.held import commands as held_commands
from services.console.outbox import relay, stopped
from services.console.probe import lag_exporter
from services.console.rights import command as access
from services.console.running import found, with_kafka
from services.console.secrets import command as secrets
from services.console.settings import ConsoleSettings
from services.console.tokens import command as tokens

app = typer.Typer(
    help="The operator's commands. They find the system that runs here: of `make run`, compose or kind, in this order; "
    "APP_KAFKA_BOOTSTRAP_SERVERS and APP_DATABASE_URL name another.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.command(name="rebuild")
def rebuild_projection(
    name: Annotated[str | None, typer.Argument(help="users, replica, or a made service", show_default=False)] = None,
    *,
    check: Check = False,
    drop_old: DropOld = False,
    abandon: Abandon = False,
    database_url: rebuild.Store = None,
) -> None:
    """Rebuild a projection from the log beside the live one, compare, and swap; the service goes on meanwhile."""
    with reported():
        rebuild.rebuild(_settings(), name, Options(check, drop_old, abandon), database_url)


@app.command(name="as-of")
def build_as_of(
    moment: Annotated[str, typer.Argument(metavar="TIME|SEQUENCE", help="2026-11-22T12:00:00Z, or a sequence number")],
    into: Annotated[str, typer.Option(metavar="DATABASE_URL", help="An empty database, SQLite or PostgreSQL.")],
    diff: Annotated[str | None, typer.Option(metavar="OTHER", help="A moment: list what changed until then.")] = None,
    personal: Annotated[bool, typer.Option("--personal", help="Show personal data.")] = False,  # noqa: FBT002  # a flag
) -> None:
    """Build users and reservations as of a moment from user.events.v1 alone, and print rows, rate and checksum."""
    with reported():
        compared = [*(["--diff", diff] if diff else []), *(["--personal"] if personal else [])]
        rebuild.build_as_of(_client(), into, [*compared, "--", moment])


@app.command()
def topics() -> None:
    """Create the topics of the catalog that the broker does not have, waiting for it up to APP_DEADLINE."""
    with reported():
        client = _settings().client
        created = provisioning.ensure(KafkaAdmin(client, "console"), client.deadline, partial(typer.echo, err=True))
    sys.stdout.write(f"created: {', '.join(created) or 'nothing, all topics are there'}\n")


@app.command(name="lag")
def show_lag() -> None:
    """Show how far each consumer group is behind, also while it is dead."""
    with reported():
        client = _client()
        broker = KafkaAdmin(client, "console")
        broker.members(lag.groups())  # names a denied group at once; the question for its offsets would time out
        found = lag.lags(broker, lag.Ages(client, utc_now))
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
    with reported():
        settings = load_settings(lag_exporter.LagExporterSettings, os.environ)
        logs.configure(lag_exporter.NAME, settings.log_level)
        code = serve(settings, telemetry(lag_exporter.NAME), lag_exporter.build)
    sys.exit(code)


def show_events(options: events.EventsOptions) -> None:
    """Show the records of the topics, decoded, a line for each record."""
    with reported():
        try:
            events.show(_client(), options, utc_now, typer.echo)
        except KeyboardInterrupt:
            sys.exit(0)  # how following ends


def export(options: exporting.ExportOptions) -> None:
    """Write what is new in a topic to a file, and how far that is to a position file."""
    with reported(exporting.CODES, exporting.ADVICE):
        code = exporting.export(_client(), options, utc_now, typer.echo)
    sys.exit(code)


def token(options: tokens.TokenOptions) -> None:
    """Print a token for the APIs, made with the key of a development issuer (APP_TOKEN_KEY_FILE), or make that key."""
    with reported():
        settings = _settings()
        if not (options.new_key or settings.token_key_file) and (running := found(settings, os.environ)):
            running.lend_token(settings.state_dir)
            settings = _settings()
        tokens.run(settings, options)


@app.command(name="journey")
def show_journey(
    wanted: Annotated[str, typer.Argument(metavar="ID", help="a correlation, event or user id, or a Message-ID")],
    personal: Annotated[bool, typer.Option("--personal", help="Show personal data.")] = False,  # noqa: FBT002  # a flag
    audit_url: Annotated[str | None, typer.Option(help="The audit API; without, that of a running system.")] = None,
) -> None:
    """Show everything that one command led to, over all topics, and what is still missing."""
    with reported():
        options = journey.JourneyOptions(personal=personal, audit_url=audit_url)
        journey.show(_settings(), wanted, options, Console())


def _settings() -> ConsoleSettings:
    return load_settings(ConsoleSettings, os.environ)


def _client() -> ConsoleSettings:
    return with_kafka(_settings(), os.environ).client


app.add_typer(held_commands.app, name="held")
app.add_typer(stopped.app, name="outbox")
app.add_typer(relay.app, name="relay")
app.command(name="secrets")(secrets.create)
app.command(name="rights")(access.rights)
app.command(name="events")(flags(events.EventsOptions, show_events))
app.command(name="token")(flags(tokens.TokenOptions, token))
app.command(name="export")(flags(exporting.ExportOptions, export))

if __name__ == "__main__":
    app()
