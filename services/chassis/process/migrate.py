"""The command `migrate` of every service: the schema is brought to the newest revision, and the process ends."""

import os
import sys
import threading
import time
from pathlib import Path

import structlog

from services.chassis.database.database import Database
from services.chassis.database.migrations import SchemaError, upgrade
from services.chassis.net.backoff import Backoff
from services.chassis.process.settings import ApiSettings
from services.chassis.settings.environment import SettingsError, load
from services.chassis.telemetry import logs

BACKOFF_S = (0.1, 0.2, 0.5, 1.0)

log = structlog.get_logger()


def main(name: str, kind: type[ApiSettings], revisions: Path) -> int:
    """Migrate the database of the process's environment.

    Returns its exit code: 0 the schema is the newest, 1 it could not be made so in time, 2 misconfigured.
    """
    try:
        settings = load(kind, os.environ)
    except SettingsError as error:
        sys.stderr.write(f"{name} cannot migrate:\n{error}\n")
        return 2
    logs.configure(name, settings.log_level)
    database = Database(settings.database)
    try:
        _upgrade(database, revisions, time.monotonic() + settings.migrate_within.total_seconds())
    except ConnectionError as error:
        sys.stderr.write(f"{name} cannot migrate:\n{error}\n")
        return 1
    finally:
        database.close()
    log.info("the schema is the newest")
    return 0


def _upgrade(database: Database, revisions: Path, deadline: float) -> None:
    backoff = Backoff(*BACKOFF_S)
    while True:
        try:
            return upgrade(database, revisions)
        except SchemaError:  # waiting does not make a schema older
            raise
        except ConnectionError as error:
            if time.monotonic() > deadline:
                raise
            log.warning("cannot migrate yet, trying again", error=str(error))
            threading.Event().wait(backoff.next())
