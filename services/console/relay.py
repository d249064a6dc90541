"""`console relay`: whether a service publishes its events, and a pause of it. Letters and operators' actions go on.

Works on a service's own database: that of APP_DATABASE_URL, or without it those of `make run`.
"""

from collections.abc import Callable
from typing import Annotated

import typer
from sqlalchemy import Connection

from services.chassis.database.database import Database
from services.chassis.messages.clock import seconds_since, utc_now
from services.chassis.messages.printable import printable
from services.chassis.outbox import event_store, lease
from services.chassis.outbox.lease import Pause
from services.chassis.outbox.operator_events import Action, record_by_system_user, system_operator
from services.console.failures import UnknownIdError, UsageError, reported
from services.console.running import database_urls, opened_databases

app = typer.Typer(help=__doc__, no_args_is_help=True)
NEXT = "the services' metric relay_paused_seconds and the alert RelayPaused show it; `console relay resume` ends it"


@app.command()
def status() -> None:
    """Show of each service how far its relay is, what waits, and a pause with its reason."""
    with reported():
        lines = [f"{_name(database)}: {database.reader(_status)()}" for database in opened_databases()]
    typer.echo("\n".join(lines))


@app.command()
def pause(reason: Annotated[str, typer.Option(help="Why; it is recorded with your name.", prompt=True)]) -> None:
    """Publish no more events, after the chunk under way, until `resume`; a restart does not end it. Events wait."""
    operator = system_operator()
    new = Pause(utc_now(), f"{operator.name}@{operator.host}", reason)
    _act("relay.pause", reason, lambda connection: lease.pause(connection, new), "paused already")
    typer.echo(f"paused: {NEXT}")


@app.command()
def resume(reason: Annotated[str, typer.Option(help="Why; it is recorded with your name.")] = "") -> None:
    """Publish again, in order, from the first event that waits."""
    _act("relay.resume", reason, lease.resume, "not paused")
    typer.echo("resumed: the relay goes on within a second; `console relay status` shows what waits")


def _act(name: str, reason: str, change: Callable[[Connection], bool], otherwise: str) -> None:
    with reported():
        if len(database_urls()) > 1:
            raise UsageError("more than one service runs: name the database of the one you mean with APP_DATABASE_URL")
        for database in opened_databases():
            with database.write() as connection:
                if not change(connection):
                    raise UnknownIdError(f"the relay is {otherwise}: see `console relay status`")
                waiting, _ = event_store.backlog(connection, _cursor(connection))
                action = Action(name=name, selection="events that wait", count=waiting, reason=reason)
                record_by_system_user(connection, action)


def _status(connection: Connection) -> str:
    waiting, oldest = event_store.backlog(connection, _cursor(connection))
    age = f", the oldest for {seconds_since(oldest, utc_now()):,.0f} s" if oldest else ""
    backlog = f"published up to event {_cursor(connection):,}; {waiting:,} wait{age}"
    if not (found := lease.paused(connection)):
        return backlog
    seconds = seconds_since(found.since, utc_now())
    return f"PAUSED for {seconds:,.0f} s by {printable(found.by)}: {printable(found.reason)}; {backlog}"


def _cursor(connection: Connection) -> int:
    return int(connection.execute(lease.relay.select()).one().cursor)


def _name(database: Database) -> str:
    return (database.engine.url.database or "").rpartition("/")[2].removesuffix(".db")
