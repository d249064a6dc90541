"""The watch over the database: when nothing can be written, the service says so, and says why.

A full disk, a read-only store, a server that is away: whoever writes waits and tries again, and all of them meet the
same wall. What they met stands in `Database.trouble`; here it is told to health, and tried until it is over.
"""

import threading

import structlog
from sqlalchemy import text

from services.chassis.database.database import UNAVAILABLE, Database
from services.chassis.telemetry.telemetry import Telemetry

LOOK_S = 0.5
WHAT = "database"
# A write that changes nothing, in a table that every service has.
TRY = text("UPDATE alembic_version SET version_num = version_num")

log = structlog.get_logger()


class DatabaseHealthCheck:
    """Looks until told to stop, and writes only while there is trouble."""

    name = "database-watch"

    def __init__(self, database: Database, telemetry: Telemetry) -> None:
        self._database = database
        self._health = telemetry.health
        self._told: str | None = None

    def run(self, stop: threading.Event) -> None:
        """Look twice a second."""
        while not stop.wait(LOOK_S):
            self._health.beat(self.name)
            self.look()

    def look(self) -> None:
        """Tell what the last write has met; where it was trouble, write again."""
        self._tell(self._database.trouble)
        if self._told:
            self._write()

    def _tell(self, trouble: str | None) -> None:
        if trouble:
            self._health.lacks(WHAT, trouble)
            if trouble != self._told:
                log.error("nothing can be written", error=trouble)
        elif self._told:
            self._health.has(WHAT)
            log.info("the database takes writes again")
        self._told = trouble

    def _write(self) -> None:
        try:
            with self._database.write() as connection:
                connection.execute(TRY)
        except UNAVAILABLE as error:
            log.debug("still no write", error=str(error))
