"""The databases that the console's commands work on: that of APP_DATABASE_URL, or without it those of `make run`."""

import os
from collections.abc import Iterator

from sqlalchemy.exc import SQLAlchemyError

from services.chassis.database.database import Database
from services.chassis.database.url import address
from services.chassis.settings.environment import load
from services.console.failures import UsageError
from services.console.settings import ConsoleSettings

SERVICES = ("user", "notification")  # those that park records and stop events


def opened() -> Iterator[Database]:
    """Yield the database of APP_DATABASE_URL, or those of the services of `make run`."""
    for url in urls():
        database = Database(address(url, os.environ.get("APP_DATABASE_PASSWORD", "")))
        try:
            yield database
        except SQLAlchemyError as error:
            raise UsageError(f"the database {database.engine.url} cannot be asked: {error}") from error
        finally:
            database.close()


def urls() -> list[str]:
    """Return the URL of each database. Raises UsageError if there is none."""
    if given := os.environ.get("APP_DATABASE_URL"):
        return [given]
    folder = load(ConsoleSettings, os.environ).running_folder()
    paths = [path for name in SERVICES if (path := folder / f"{name}.db").exists()]
    if not paths:
        raise UsageError(
            f"no store of `make run` in {folder}: start one, or name a service's database with APP_DATABASE_URL"
        )
    return [f"sqlite:///{path}" for path in paths]
