"""`console outbox`: events that the broker refuses for good, their retry, and the decision to skip one.

Works on a service's own database: that of APP_DATABASE_URL, or without it those of `make run`.
"""

from typing import Annotated

import typer

from services.chassis.database.database import Database
from services.chassis.messages.clock import seconds_since, utc_now
from services.chassis.messages.printable import printable
from services.chassis.outbox import stopped_events
from services.chassis.outbox.operator_events import Action, record_by_system_user
from services.chassis.outbox.stopped_events import NotFirstError, Stopped
from services.console.failures import UnknownIdError, UsageError, reported
from services.console.running import only_database, opened_databases
from services.contracts.service_list import PUBLISHERS

app = typer.Typer(help=__doc__, no_args_is_help=True)
Sequence = Annotated[int, typer.Argument(help="the event's sequence number")]


@app.command("list")
def list_stopped() -> None:
    """Show every stopped event with the broker's reason, and every event that was skipped."""
    with reported():
        found = [
            event for database in opened_databases(PUBLISHERS) for event in database.reader(stopped_events.listed)()
        ]
    if not found:
        typer.echo("no event is stopped")
    for event in found:
        waited = seconds_since(event.since, utc_now())
        typer.echo(f"{event.sequence}  subject {printable(event.subject)}  {_state(event)}  {waited:,.0f} s")
        typer.echo(f"    {printable(event.reason)}")


@app.command()
def retry(sequence: Annotated[int | None, typer.Argument(help="one event; without it, all of them")] = None) -> None:
    """Ask the running service to publish an event and those behind it again; it does so within seconds."""
    with reported():
        asked = sum(_retry(database, sequence) for database in opened_databases(PUBLISHERS))
        if not asked:
            raise UnknownIdError(f"{_named(sequence)} is stopped: see `console outbox list`")
    typer.echo(f"another try of {asked} events is asked for: see `console outbox list` and the service's log")


@app.command()
def skip(
    sequence: Sequence, because: Annotated[str, typer.Option(help="why; it is kept with the event", prompt=True)]
) -> None:
    """Never publish an event: readers get the next version of its subject after a hole. Those behind it go on."""
    with reported():
        with only_database(PUBLISHERS) as database:
            skipped = _skip(database, sequence, because)
        if not skipped:
            raise UnknownIdError(f"{_named(sequence)} is stopped: see `console outbox list`")
    typer.echo(f"event {sequence} is skipped: {because}")


def _retry(database: Database, sequence: int | None) -> int:
    selection = "every stopped event" if sequence is None else f"sequence {sequence}"
    with database.write() as connection:
        if count := stopped_events.request_retry(connection, sequence):
            record_by_system_user(connection, Action(name="outbox.retry", selection=selection, count=count))
        return count


def _skip(database: Database, sequence: int, because: str) -> bool:
    try:
        with database.write() as connection:
            if skipped := stopped_events.skip(connection, sequence, because):
                action = Action(name="outbox.skip", selection=f"sequence {sequence}", count=1, reason=because)
                record_by_system_user(connection, action)
            return skipped
    except NotFirstError as error:
        raise UsageError(str(error)) from error


def _named(sequence: int | None) -> str:
    return "no event" if sequence is None else f"no event with the sequence number {sequence}"


def _state(event: Stopped) -> str:
    if event.decision == "skip":
        return f"skipped because {printable(event.because or '')}"
    return "to be retried" if event.decision else "stopped"
