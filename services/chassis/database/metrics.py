"""Metrics of a service's database: time, connections, bytes."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from sqlalchemy import URL, text
from sqlalchemy.pool import QueuePool

from services.chassis.database.database import Database, DatabaseObserver
from services.chassis.database.engines import POOL_OVERFLOW, POOL_SIZE
from services.chassis.telemetry.metrics import Metrics
from services.chassis.telemetry.metrics.publishing import APPENDED
from services.chassis.telemetry.metrics.serving import DB_DURATION, DB_FREE, DB_MAX, DB_SIZE, DB_USED

FILES = ("", "-wal", "-shm")  # SQLite's
SIZE = text("SELECT pg_database_size(current_database())")


class DatabaseMetrics(DatabaseObserver):
    """Counts what a database did. A transaction notes the types of the events that it appends."""

    def __init__(self, metrics: Metrics) -> None:
        durations = metrics.histogram(DB_DURATION)
        self._durations = {operation: durations.labels(operation) for operation in ("read", "write")}
        self._appended = metrics.counter(APPENDED)

    def took(self, operation: str, seconds: float) -> None:
        """Count the time of an operation."""
        self._durations[operation].observe(seconds)

    def committed(self, noted: Mapping[str, int]) -> None:
        """Count events by type."""
        for kind, number in noted.items():
            self._appended.labels(kind).inc(number)


def measured(url: URL, metrics: Metrics) -> Database:
    """Return a database whose time, connections and bytes are seen."""
    database = Database(url, DatabaseMetrics(metrics))
    pool: QueuePool = database.engine.pool  # type: ignore[assignment]  # of either kind of database
    metrics.on_scrape(DB_USED, pool.checkedout)
    metrics.gauge(DB_MAX).set(POOL_SIZE + POOL_OVERFLOW)
    metrics.on_scrape_together((DB_SIZE, DB_FREE), lambda: _bytes(database))
    return database


def _bytes(database: Database) -> tuple[int, int | None]:
    path = database.engine.url.database
    if database.is_sqlite and path:
        files = [Path(path + suffix) for suffix in FILES]
        # A file may go while it is looked at: the last connection takes the log with it.
        return sum(file.stat().st_size for file in files if file.exists()), shutil.disk_usage(files[0].parent).free
    with database.read() as connection:
        return int(connection.execute(SIZE).scalar_one()), None
