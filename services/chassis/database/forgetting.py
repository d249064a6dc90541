"""Deletes rows that nothing can ask for any more, oldest first, in chunks that hold other writers up for milliseconds.

A table is data: `Forgotten`. Every replica runs this: on PostgreSQL they skip each other's rows, SQLite has one writer.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

import msgspec
import structlog
from sqlalchemy import Column, ColumnElement, Connection, Table, literal, literal_column, select, text, true

from services.chassis.database.database import UNAVAILABLE, Database, now_ms
from services.chassis.messages.clock import MICROSECOND, to_micros
from services.chassis.telemetry.metrics.storing import FORGETTING_HOLD, FORGOTTEN, TABLE_AGE, TABLE_OVERDUE, TABLE_ROWS
from services.chassis.telemetry.periodic import Periodic
from services.chassis.telemetry.telemetry import Telemetry

HOLD_S = 0.01  # above it, chunks become smaller; the promise to other writers is five times as much
RESTS = 4  # a chunk is followed by a rest of so many times its own duration
REST_S = 0.02  # at least
RETRY_S = 10.0
LEAST_CHUNK, LARGEST_CHUNK = 20, 500  # rows

log = structlog.get_logger()


class Forgotten(msgspec.Struct, frozen=True):
    """Rows of a table that are deleted once the time in `age`, in microseconds since 1970, is `keep` ago.

    Rows without the `condition` are never looked at. A row that is not `superseded` stays: its age begins again.
    With `dated`, a row without an age, of a program before this one, gets the present time.
    """

    table: Table
    age: Column[int]
    keep: timedelta
    condition: ColumnElement[bool] = true()
    superseded: ColumnElement[bool] = true()
    dated: bool = False
    name: str = ""

    @property
    def label(self) -> str:
        """The name in metrics and log lines: the table's, unless it is another."""
        return self.name or self.table.name

    def before(self, now: int) -> int:
        """Return the age from which on rows stay."""
        return now - self.keep // MICROSECOND

    def oldest(self, connection: Connection) -> int | None:
        """Return the age of the oldest row that has one."""
        query = select(self.age).where(self.age.is_not(None), self.condition).order_by(self.age).limit(1)
        return connection.scalar(query)

    def has_undated(self, connection: Connection) -> bool:
        """Return whether a row is to be dated."""
        return connection.scalar(select(literal(1)).select_from(self.table).where(self.age.is_(None)).limit(1)) == 1

    def rows(self, connection: Connection) -> int:
        """Return the number of rows; on PostgreSQL its own estimate, once it has one."""
        if connection.dialect.name == "postgresql":
            estimate = text("SELECT reltuples::bigint FROM pg_class WHERE oid = to_regclass(:name)")
            if (rows := connection.scalar(estimate, {"name": self.table.name})) is not None and rows >= 0:
                return int(rows)
        return int(connection.scalar(text(f"SELECT count(*) FROM {self.table.name}")) or 0)  # noqa: S608  # our own name

    def date(self, connection: Connection, now: int, limit: int) -> int:
        """Date up to `limit` rows without an age. Returns how many there were."""
        found = connection.execute(self._chunk(connection, limit).where(self.age.is_(None))) if self.dated else ()
        return _set(connection, self, [row[0] for row in found], now)

    def delete(self, connection: Connection, now: int, limit: int) -> tuple[int, int]:
        """Look at up to `limit` rows that are old enough. Returns how many there were, and how many it deleted."""
        chunk = self._chunk(connection, limit).where(self.age < self.before(now), self.condition).order_by(self.age)
        found = connection.execute(chunk).all()
        gone = [row[0] for row in found if row[1]]
        if gone:
            statement = f"DELETE FROM {self.table.name} WHERE {_these(connection)}"  # noqa: S608  # our own names
            connection.execute(text(statement), {"rows": _listed(connection, gone)})
        _set(connection, self, [row[0] for row in found if not row[1]], now)
        return len(found), len(gone)

    def _chunk(self, connection: Connection, limit: int) -> Any:  # noqa: ANN401  # SQLAlchemy's type of a select
        # The row's own address, which needs no key: SQLite reads a whole table for a list of composite keys.
        address = f"{self.table.name}.{'rowid' if connection.dialect.name == 'sqlite' else 'ctid'}"
        named: ColumnElement[str] = literal_column(f"CAST({address} AS TEXT)")
        chunk = select(named, self.superseded).select_from(self.table).limit(limit)
        return chunk.with_for_update(skip_locked=True, of=self.table)


class Forgetting(Periodic):
    """Looks at every table at an interval, and deletes what is old enough."""

    name = "forgetting"

    def __init__(self, database: Database, tables: Sequence[Forgotten], every: timedelta, telemetry: Telemetry) -> None:
        super().__init__(telemetry.health)
        self._database = database
        self._tables = tables
        self._every_s = every.total_seconds()
        self._clock = telemetry.clock
        self._steps = self._sweeps()
        self._sizes = dict.fromkeys((table.label for table in tables), LEAST_CHUNK)
        self._found: dict[str, tuple[int, int | None]] = {}  # rows, oldest age
        self._moved = time.monotonic()
        self._deleted = telemetry.metrics.counter(FORGOTTEN)
        for table in tables:
            self._deleted.labels(table.label)  # from 0 on, so that the first deletions are a rise
        self._held = telemetry.metrics.histogram(FORGETTING_HOLD)
        telemetry.metrics.on_scrape_together((TABLE_ROWS, TABLE_AGE, TABLE_OVERDUE), self._reading)

    def check(self) -> float:
        """Take one step: a chunk of a table, or the rest between two sweeps."""
        try:
            wait = next(self._steps)
        except UNAVAILABLE as error:
            log.warning("cannot delete old rows now, trying again", error=str(error))
            self._steps = self._sweeps()
            return RETRY_S
        self._moved = time.monotonic()
        return wait

    def _sweeps(self) -> Iterator[float]:
        while True:
            for table in self._tables:
                yield from self._sweep(table)
            yield self._every_s

    def _sweep(self, table: Forgotten) -> Iterator[float]:
        deleted, started = 0, to_micros(self._clock())
        while self._is_due(table, started):
            more, gone, rest = self._chunk(table, started)
            deleted += gone
            if not more:
                break
            yield rest
        if deleted:
            log.info("old rows deleted", table=table.label, rows=deleted)
        self._measure(table)

    def _is_due(self, table: Forgotten, now: int) -> bool:
        # A look before a write: on SQLite a write that finds nothing would hold the others up as well.
        with self._database.read() as connection:
            oldest = table.oldest(connection)
            undated = table.dated and table.has_undated(connection)
        return undated or (oldest is not None and oldest < table.before(now))

    def _chunk(self, table: Forgotten, started_at: int) -> tuple[bool, int, float]:
        """Delete a chunk. Returns whether there may be more, how many rows it deleted, and the rest in seconds."""
        name = table.label
        limit = self._sizes[name]
        with self._database.write() as connection:
            started = time.perf_counter()
            # The earlier of two clocks: one that is far ahead must not delete everything.
            now = min(started_at, now_ms(connection) * 1000)
            dated = table.date(connection, now, limit)
            seen, gone = (0, 0) if dated else table.delete(connection, now, limit)
        held = time.perf_counter() - started
        self._held.observe(held)
        self._deleted.labels(name).inc(gone)
        self._sizes[name] = max(LEAST_CHUNK, limit // 2) if held > HOLD_S else min(LARGEST_CHUNK, limit * 3 // 2)
        return max(seen, dated) > 0, gone, max(REST_S, RESTS * held)

    def _measure(self, table: Forgotten) -> None:
        with self._database.read() as connection:
            self._found[table.label] = (table.rows(connection), table.oldest(connection))

    def _reading(self) -> Sequence[Mapping[str, float]]:
        now, found = to_micros(self._clock()), dict(self._found)
        ages = {name: (now - oldest) / 1e6 if oldest else 0.0 for name, (_, oldest) in found.items()}
        late = max(0.0, time.monotonic() - self._moved - self._every_s)
        keeps = {table.label: table.keep.total_seconds() for table in self._tables}
        # A table that was never measured is as late as the loop itself.
        overdue = {name: max(late, ages.get(name, 0.0) - keep) for name, keep in keeps.items()}
        return {name: float(rows) for name, (rows, _) in found.items()}, ages, overdue


def _set(connection: Connection, table: Forgotten, rows: Sequence[str], now: int) -> int:
    if rows:
        change = f'UPDATE {table.table.name} SET "{table.age.name}" = :now WHERE {_these(connection)}'  # noqa: S608  # our own names
        connection.execute(text(change), {"rows": _listed(connection, rows), "now": now})
    return len(rows)


def _these(connection: Connection) -> str:
    if connection.dialect.name == "sqlite":
        return "rowid IN (SELECT CAST(value AS INTEGER) FROM json_each(:rows))"
    return "ctid = ANY(CAST(:rows AS tid[]))"


def _listed(connection: Connection, rows: Sequence[str]) -> object:
    return msgspec.json.encode(rows).decode() if connection.dialect.name == "sqlite" else list(rows)
