"""`console parked`: records that a consumer could not apply, and their retry.

Works on a service's own database: that of APP_DATABASE_URL, or without it those of `make run`.
"""

import os
from collections.abc import Iterator, Sequence
from typing import Annotated

import typer
from sqlalchemy.exc import SQLAlchemyError

from services.chassis.consumer import parking
from services.chassis.database.database import Database
from services.chassis.database.url import address
from services.chassis.messages.clock import seconds_since, utc_now
from services.chassis.messages.printable import printable
from services.chassis.settings.environment import load
from services.console.failures import UnknownIdError, UsageError, reported
from services.console.settings import ConsoleSettings

PARKING = ("user", "notification")  # the services that park

app = typer.Typer(help=__doc__, no_args_is_help=True)


@app.command("list")
def list_parked() -> None:
    """Show every parked key with the reason and what waits behind it."""
    with reported():
        queues = [queue for database in _databases() for queue in _listed(database)]
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
        asked = sum(_request_retry(database, key) for database in _databases())
        if not asked:
            raise UnknownIdError(f"nothing is parked{f' for the key {key}' if key else ''}: see `console parked list`")
    typer.echo(f"another try of {asked} records is asked for: see `console parked list` and the service's log")


def _listed(database: Database) -> Sequence[Sequence[parking.Parked]]:
    with database.read() as connection:
        return parking.listed(connection)


def _request_retry(database: Database, key: str | None) -> int:
    with database.write() as connection:
        return parking.request_retry(connection, key)


def _databases() -> Iterator[Database]:
    """Yield the database of APP_DATABASE_URL, or those of the services of `make run`."""
    given = os.environ.get("APP_DATABASE_URL")
    for url in [given] if given else _of_the_run():
        database = Database(address(url, os.environ.get("APP_DATABASE_PASSWORD", "")))
        try:
            yield database
        except SQLAlchemyError as error:
            raise UsageError(f"the database {database.engine.url} cannot be asked: {error}") from error
        finally:
            database.close()


def _of_the_run() -> list[str]:
    folder = load(ConsoleSettings, os.environ).running_folder()
    paths = [path for name in PARKING if (path := folder / f"{name}.db").exists()]
    if not paths:
        raise UsageError(
            f"no store of `make run` in {folder}: start one, or name a service's database with APP_DATABASE_URL"
        )
    return [f"sqlite:///{path}" for path in paths]
