"""`console parked`: records that a consumer could not apply, and their retry.

Works on a service's own database: that of APP_DATABASE_URL, or without it those of `make run`.
"""

from collections.abc import Sequence
from typing import Annotated

import typer

from services.chassis.consumer import parking
from services.chassis.database.database import Database
from services.chassis.messages.clock import seconds_since, utc_now
from services.chassis.messages.printable import printable
from services.console.failures import UnknownIdError, reported
from services.console.running import opened_databases

app = typer.Typer(help=__doc__, no_args_is_help=True)


@app.command("list")
def list_parked() -> None:
    """Show every parked key with the reason and what waits behind it."""
    with reported():
        queues = [queue for database in opened_databases() for queue in _listed(database)]
    if not queues:
        typer.echo("nothing is parked")
    for queue in queues:
        first, waited = queue[0], seconds_since(queue[0].since, utc_now())
        key = printable(parking.key_of(first.record))
        typer.echo(f"{first.record.place}  key {key}  {len(queue)} records  {waited:,.0f} s")
        typer.echo(f"    {printable(first.reason)}")


@app.command()
def retry(key: Annotated[str | None, typer.Argument(help="one key; without it, all of them")] = None) -> None:
    """Ask the running service for another try, in order; it does so within a second."""
    with reported():
        asked = sum(_request_retry(database, key) for database in opened_databases())
        if not asked:
            raise UnknownIdError(f"nothing is parked{f' for the key {key}' if key else ''}: see `console parked list`")
    typer.echo(f"another try of {asked} records is asked for: see `console parked list` and the service's log")


def _listed(database: Database) -> Sequence[Sequence[parking.Parked]]:
    with database.read() as connection:
        return parking.listed(connection)


def _request_retry(database: Database, key: str | None) -> int:
    with database.write() as connection:
        return parking.request_retry(connection, key)
