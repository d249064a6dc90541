"""`console parked`: records that a consumer could not apply, and their retry.

Works on the service's own database, named by APP_DATABASE_URL: run it where the service runs.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from sqlalchemy.exc import SQLAlchemyError

from services.chassis.consumer import parking
from services.chassis.database.database import Database
from services.chassis.database.url import address
from services.chassis.messages.clock import seconds_since, utc_now
from services.chassis.messages.printable import printable
from services.console.failures import UnknownIdError, UsageError, reported

app = typer.Typer(help=__doc__, no_args_is_help=True)


@app.command("list")
def list_parked() -> None:
    """Show every parked key with the reason and what waits behind it."""
    with reported(), _database() as database, database.read() as connection:
        queues = parking.listed(connection)
    if not queues:
        typer.echo("nothing is parked")
        return
    for queue in queues:
        first, waited = queue[0], seconds_since(queue[0].since, utc_now())
        key = printable(parking.key_of(first.record))
        typer.echo(f"{first.record.place}  key {key}  {len(queue)} records  {waited:,.0f} s")
        typer.echo(f"    {printable(first.reason)}")


@app.command()
def retry(key: Annotated[str | None, typer.Argument(help="one key; without it, all of them")] = None) -> None:
    """Ask the running service for another try, in order; it does so within a second."""
    with reported(), _database() as database:
        with database.write() as connection:
            asked = parking.request_retry(connection, key)
        if not asked:
            raise UnknownIdError(f"nothing is parked{f' for the key {key}' if key else ''}: see `console parked list`")
    typer.echo(f"another try of {asked} records is asked for: see `console parked list` and the service's log")


@contextmanager
def _database() -> Iterator[Database]:
    url = os.environ.get("APP_DATABASE_URL", "")
    if not url:
        raise UsageError("APP_DATABASE_URL is missing: name the database of the service whose parked keys you want")
    database = Database(address(url, os.environ.get("APP_DATABASE_PASSWORD", "")))
    try:
        yield database
    except SQLAlchemyError as error:
        raise UsageError(f"the database of APP_DATABASE_URL cannot be asked: {error}") from error
    finally:
        database.close()
