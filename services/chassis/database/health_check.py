"""Reports to the readiness probe that nothing can be written: a full disk, a read-only or unreachable database.

The reason is that of the last failed write of any thread, or of one that takes too long. A write of its own notices
when the database recovers, and that it fails while nobody else writes.
"""

import structlog
from sqlalchemy import text

from services.chassis.database.database import UNAVAILABLE, Database
from services.chassis.telemetry.periodic import Periodic
from services.chassis.telemetry.telemetry import Telemetry

INTERVAL_S = 0.5
IDLE_S = 5.0  # without a write of others: the check writes
CONDITION = "database"
# A write that changes nothing, in a table that every service has.
PROBE = text("UPDATE alembic_version SET version_num = version_num")

log = structlog.get_logger()


class DatabaseHealthCheck(Periodic):
    """Reads the last write's failure twice a second; writes while there is one, or nobody else writes."""

    name = "database-health-check"

    def __init__(self, database: Database, telemetry: Telemetry) -> None:
        super().__init__(telemetry.health)
        self._database = database
        self._reported: str | None = None

    def check(self) -> float:
        """Report the failure of the last write; if there was one, or none for long, write."""
        self._report(self._database.write_failure)
        if self._reported or self._database.idle_s > IDLE_S:
            self._write()
        return INTERVAL_S

    def _report(self, failure: str | None) -> None:
        if failure:
            self._health.lacks(CONDITION, failure)
            if failure != self._reported:
                log.error("nothing can be written", error=failure)
        elif self._reported:
            self._health.has(CONDITION)
            log.info("the database takes writes again")
        self._reported = failure

    def _write(self) -> None:
        try:
            with self._database.write() as connection:
                connection.execute(PROBE)
        except UNAVAILABLE as error:
            log.debug("still no write", error=str(error))
