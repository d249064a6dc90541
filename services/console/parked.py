"""`console parked`: what a consumer has put aside because it could not be applied, and another try of it.

Works on the service's own database, named by APP_DATABASE_URL: run it where the service runs.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy.exc import SQLAlchemyError

from services.chassis import parking
from services.chassis.clock import utc_now
from services.chassis.database import Database

app = typer.Typer(help=__doc__, no_args_is_help=True)


@app.command("list")
def list_parked() -> None:
    """Show every parked key with the reason and what waits behind it."""
    with _database() as database, database.read() as connection:
        queues = parking.listed(connection)
    if not queues:
        Console().print("nothing is parked")
        return
    table = Table("topic", "key", "records", "first at", "waiting for", "reason")
    for queue in queues:
        first = queue[0]
        waited = f"{(utc_now() - first.since).total_seconds():,.0f} s"
        place = f"[{first.record.partition}]@{first.record.offset}"
        key = parking.key_of(first.record)
        table.add_row(first.record.topic, key, str(len(queue)), place, waited, first.reason)
    Console().print(table)


@app.command()
def retry(key: Annotated[str | None, typer.Argument(help="one key; all of them where it is left away")] = None) -> None:
    """Ask the running service for another try, in order; it does so within a second."""
    with _database() as database, database.write() as connection:
        asked = parking.ask(connection, key)
    if not asked:
        sys.stderr.write(f"nothing is parked{f' for the key {key}' if key else ''}: see `console parked list`\n")
        sys.exit(1)
    Console().print(f"another try of {asked} records is asked for: see `console parked list` and the service's log")


@contextmanager
def _database() -> Iterator[Database]:
    url = os.environ.get("APP_DATABASE_URL", "")
    if not url:
        sys.stderr.write("APP_DATABASE_URL is missing: name the database of the service whose parked keys you want\n")
        sys.exit(2)
    database = Database(url)
    try:
        yield database
    except SQLAlchemyError as error:
        sys.stderr.write(f"the database of APP_DATABASE_URL cannot be asked: {error}\n")
        sys.exit(2)
    finally:
        database.close()
