"""`console relay`: how far a service has published its events; a pause of it, and publishing again.

Letters and operators' actions are not concerned.

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
from services.console.progress import Request, follow
from services.console.running import only_database, opened_databases
from services.contracts.service_list import PUBLISHERS

STUCK_S = 60.0  # a lease ends in 20 s with the usual setting
DRY_RUN = "Nothing is changed: add --yes"

app = typer.Typer(help=__doc__, no_args_is_help=True)
NEXT = "the services' metric relay_paused_seconds and the alert RelayPaused show it; `console relay resume` ends it"


@app.command()
def status() -> None:
    """Show of each service how far its relay is, what waits, and a pause with its reason."""
    with reported():
        lines = [f"{_name(database)}: {database.reader(_status)()}" for database in opened_databases(PUBLISHERS)]
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


@app.command()
def republish(
    first: Annotated[int, typer.Option("--from", metavar="SEQUENCE", min=1, help="The first event; 1 is all.")],
    *,
    reason: Annotated[str, typer.Option(help="Why; it is recorded with your name.")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do it. Without, nothing is changed.")] = False,
    wait: Annotated[bool, typer.Option(help="Wait until they are published.")] = True,
) -> None:
    """Publish all events from one on again, in order, for a topic that was lost or recreated.

    There is no last one: a compacted topic would keep a state that is not the newest.
    """
    with reported(), only_database(PUBLISHERS) as database:
        with database.write() if yes else database.read() as connection:
            last = _cursor(connection)
            if first > last:
                raise UsageError(f"--from {first}: only the events 1 to {last:,} were published")
            events = f"events {first:,} to {last:,}"
            if yes:
                lease.rewind(connection, first)
                action = Action(name="relay.republish", selection=events, count=last - first + 1, reason=reason)
                record_by_system_user(connection, action)
        if not yes:
            typer.echo(f"{events} would be published again; readers recognise them as repeats. {DRY_RUN}")
            return
        typer.echo(f"requested: {events}; the relay begins when its lease has ended, after APP_RELAY_LEASE at most")
        if wait:
            _await_published(database, first - 1, last)


def _await_published(database: Database, start: int, last: int) -> None:
    cursor = database.reader(_cursor)

    def stuck(done: int) -> str:
        return (
            f"published up to event {start + done:,}, and no further for {STUCK_S:.0f} s: does the service run, "
            "and is its relay paused? `console relay status` shows it; what is requested stays so"
        )

    try:
        done = follow(Request("publishing", "events", last - start, STUCK_S), lambda: cursor() - start, stuck)
    except KeyboardInterrupt:
        typer.echo("the relay goes on: `console relay status` shows how far it is", err=True)
        raise
    typer.echo(f"published up to event {start + done:,}")


def _act(name: str, reason: str, change: Callable[[Connection], bool], otherwise: str) -> None:
    with reported(), only_database(PUBLISHERS) as database, database.write() as connection:
        if not change(connection):
            raise UnknownIdError(f"the relay is {otherwise}: see `console relay status`")
        waiting, _ = event_store.backlog(connection, _cursor(connection))
        record_by_system_user(connection, Action(name=name, selection="events that wait", count=waiting, reason=reason))


def _status(connection: Connection) -> str:
    cursor = _cursor(connection)
    waiting, oldest = event_store.backlog(connection, cursor)
    age = f", the oldest for {seconds_since(oldest, utc_now()):,.0f} s" if oldest else ""
    backlog = f"published up to event {cursor:,}; {waiting:,} wait{age}"
    if not (found := lease.paused(connection)):
        return backlog
    seconds = seconds_since(found.since, utc_now())
    return f"PAUSED for {seconds:,.0f} s by {printable(found.by)}: {printable(found.reason)}; {backlog}"


def _cursor(connection: Connection) -> int:
    return int(connection.execute(lease.relay.select()).one().cursor)


def _name(database: Database) -> str:
    return (database.engine.url.database or "").rpartition("/")[2].removesuffix(".db")
