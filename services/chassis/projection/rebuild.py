"""A rebuild: folds the log into a second set of tables, compares them with the live ones, and swaps them.

The service goes on meanwhile. Killed before the swap is committed, it leaves tables that the next run, or --abandon,
drops; the swap and its event are one transaction.
"""

import time
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any

import msgspec
from sqlalchemy import Connection, and_, func, or_, select
from sqlalchemy.exc import OperationalError

from services.chassis.database import bulk
from services.chassis.database.database import Database
from services.chassis.messages.clock import utc_now
from services.chassis.messages.ids import new_id
from services.chassis.outbox import operator_events
from services.chassis.outbox.operator_events import Action, Operator
from services.chassis.projection.comparison import differences
from services.chassis.projection.description import BATCH, Projection, RebuildError, Source
from services.chassis.projection.shadow import Shadow

SHOWN = 5  # differences listed one by one
TRIES, PAUSE_S = 60, 0.2
POLL_S, LOCKED_S = 0.5, 0.05  # how long to wait for records, outside the swap and in it
Observer = Callable[[int, int], object]  # applied so far, remaining


class Found(msgspec.Struct, frozen=True):
    """The result of a comparison: the number of rows that differ, a line for the first ones, and further notes."""

    differing: int
    lines: list[str]
    notes: list[str]


class Swapped(msgspec.Struct, frozen=True):
    """A swap: the number of rows, and for how many seconds it kept writers from the tables."""

    rows: int
    locked_s: float


class _BehindError(Exception):
    """The live tables have moved on since the last look."""


def put_on_record(connection: Connection, action: Action, operator: Operator) -> None:
    """Append the event of an action in its transaction; a service without an outbox has none."""
    if operator_events.has_table(connection):
        operator_events.record(connection, action, operator, utc_now())


class Rebuild:
    """One run. Each method raises RebuildError, ConnectionError, and SQLAlchemyError."""

    def __init__(self, database: Database, projection: Projection, source: Source, observe: Observer) -> None:
        self._database = database
        self._projection = projection
        self._source = source
        self._observe = observe
        self._run = new_id()
        self._shadow = Shadow(projection)
        self._applied = 0

    def fill(self) -> int:
        """Create the tables and fold the log into them, up to the live position. Returns the number of events."""
        with self._database.write() as connection:
            self._shadow.begin(connection, self._run)
        self._catch_up(self._position())
        self._catch_up(self._position())
        self._carry()
        with self._database.write() as connection:
            self._shadow.analyze(connection)
        return self._applied

    def compare(self) -> Found:
        """Compare with the live tables of one moment, up to which the log is folded."""
        with self._database.snapshot() as live:
            self._catch_up(self._source.position(live))
            with self._database.read() as rebuilt:
                lines = differences(self._projection, self._shadow, live, rebuilt)
                first = list(islice(lines, SHOWN))
                return Found(len(first) + sum(1 for _ in lines), first, list(self._source.notes()))

    def swap(self, operator: Operator, differing: int) -> Swapped:
        """Swap as soon as both are at one position, with an event of the action."""
        for _ in range(TRIES):
            self._catch_up(self._position())
            try:
                with self._database.write() as connection:
                    started = time.monotonic()
                    rows = self._swap(connection, operator, differing)
                return Swapped(rows, time.monotonic() - started)
            except _BehindError:
                continue
            except OperationalError as error:
                if "lock timeout" not in str(error):
                    raise
                time.sleep(PAUSE_S)  # readers that have waited behind it go first
        raise RebuildError(f"the live tables were never free in {TRIES} tries: run it again when there is less load")

    def abandon(self) -> None:
        """Drop the second set of tables."""
        with self._database.write() as connection:
            self._shadow.require(connection, self._run)
            self._shadow.abandon(connection)

    def _swap(self, connection: Connection, operator: Operator, differing: int) -> int:
        self._shadow.require(connection, self._run)
        self._source.lock(connection)
        self._shadow.lock(connection)
        to = self._source.position(connection)
        if not self._source.fetch(to, LOCKED_S):
            raise _BehindError
        while self._source.apply(connection, to):
            pass
        rows = connection.scalar(select(func.count()).select_from(self._shadow.tables[0])) or 0
        self._shadow.swap(connection)
        what = f"{self._projection.name}, rebuilt from {self._projection.log} and swapped; {differing} rows differed"
        put_on_record(connection, Action(name="store.rebuild", selection=what, count=rows), operator)
        return rows

    def _position(self) -> Any:  # noqa: ANN401  # of the source's own type
        with self._database.read() as connection:
            return self._source.position(connection)

    def _catch_up(self, to: Any) -> None:  # noqa: ANN401
        received = False
        while not received or self._source.remaining(to):
            received = self._source.fetch(to, POLL_S)
            started = time.monotonic()
            with self._database.write() as connection:
                self._shadow.require(connection, self._run)
                applied = self._source.apply(connection, to)
            self._applied += applied
            self._observe(self._applied, self._source.remaining(to))
            if applied and self._database.is_sqlite:  # its writers do not queue: they must find a gap
                time.sleep(time.monotonic() - started)

    def _carry(self) -> None:
        """Keep live rows that the log no longer has, such as erased users; the log's newer versions win."""
        rows = self._carried()
        for start in range(0, len(rows), BATCH):
            with self._database.write() as connection:
                self._shadow.require(connection, self._run)
                bulk.upsert(connection, self._shadow.tables[0], rows[start : start + BATCH])

    def _carried(self) -> Sequence[tuple[object, ...]]:
        if (carried := self._projection.carried) is None:
            return []
        live, rebuilt = self._projection.tables[0], self._shadow.tables[0]
        same = and_(*(live.c[key.name] == rebuilt.c[key.name] for key in live.primary_key))
        newer = or_(rebuilt.c.version.is_(None), rebuilt.c.version < live.c.version)
        query = select(live).select_from(live.outerjoin(rebuilt, same)).where(carried(live), newer)
        with self._database.read() as connection:
            return [tuple(row) for row in connection.execute(query)]  # erased users have no state: they are small
