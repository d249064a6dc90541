"""One SQL database per service: SQLite by default, PostgreSQL in production, one text for both.

Knows transactions and dialects, no table. Writes to SQLite take one lock per process before the database's own, so
that threads queue instead of polling.
"""

import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Concatenate, ParamSpec, TypeVar, cast

from sqlalchemy import URL, Connection, Engine, Insert, MetaData, make_url, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.sql.schema import Table

from services.chassis.database.checkpoints import Checkpoints
from services.chassis.database.engines import postgresql_engine, sqlite_engine

P = ParamSpec("P")
T = TypeVar("T")

metadata = MetaData()  # of every table that this process knows

NOTED, THEN = "noted", "then"
WRITE_TURN_S = 10.0  # how long a thread waits for the other writers of this process to SQLite
SLOW_WRITE_S = 5.0  # a write that takes longer counts as a failure until it ends
UNAVAILABLE = (OperationalError, InterfaceError, PoolTimeoutError)


class DatabaseObserver:
    """Observer of a database. This one keeps nothing; see `metrics.DatabaseMetrics`."""

    def took(self, operation: str, seconds: float) -> None:
        """Hear how long a `read` or a `write` took, from a connection asked for to its end."""

    def committed(self, noted: Mapping[str, int]) -> None:
        """Hear what a transaction noted that is now committed."""


class Database:
    """A database to read from and to write to, from any thread."""

    def __init__(self, url: str | URL, observer: DatabaseObserver | None = None) -> None:
        self._observer = observer or DatabaseObserver()
        self.is_sqlite = make_url(url).get_backend_name() == "sqlite"
        self._engine = sqlite_engine(url) if self.is_sqlite else postgresql_engine(url)
        self._write_lock = threading.Lock()
        self._checkpoints = Checkpoints(self._engine, self._write_lock)  # idle with PostgreSQL
        self._writing: dict[object, float] = {}  # the starts of the writes under way
        self._write_failure: str | None = None
        self._write_ended = time.monotonic()

    @property
    def engine(self) -> Engine:
        """The SQLAlchemy engine, for migrations."""
        return self._engine

    @property
    def system(self) -> str:
        """The kind of database, as OpenTelemetry calls it."""
        return "sqlite" if self.is_sqlite else "postgresql"

    @property
    def write_failure(self) -> str | None:
        """The reason why the last write failed or one under way takes too long, None if neither."""
        if min(list(self._writing.values()), default=math.inf) < time.monotonic() - SLOW_WRITE_S:
            return f"a write has taken more than {SLOW_WRITE_S:g} s"
        return self._write_failure

    @property
    def idle_s(self) -> float:
        """The time since the end of the last write."""
        return time.monotonic() - self._write_ended

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Yield a connection to read with; it sees one committed moment per statement."""
        with self._timed("read"), self._engine.connect() as connection:
            yield connection

    def reader(self, query: Callable[Concatenate[Connection, P], T]) -> Callable[P, T]:
        """Return a query that takes a connection as one that opens its own."""

        def call(*args: P.args, **kwargs: P.kwargs) -> T:
            with self.read() as connection:
                return query(connection, *args, **kwargs)

        return call

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """Yield a connection to read with; all it sees is of one committed moment, however long it reads."""
        # SQLite's transactions are like that in any case.
        options = {} if self.is_sqlite else {"isolation_level": "REPEATABLE READ"}
        with self._timed("read"), self._engine.connect() as connection:
            yield connection.execution_options(**options)

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Yield a connection in a transaction, committed at the end and rolled back on any exception.

        Waits for other writers. Raises one of UNAVAILABLE when the database is unreachable or busy for too long.
        """
        noted: Counter[str] = Counter()
        then: list[Callable[[], object]] = []
        try:
            with self._timed("write"), self._observed_write(), self._turn(), self._engine.connect() as connection:
                writer = connection.execution_options(writes=True, **{NOTED: noted, THEN: then})
                with writer.begin():
                    yield writer
        except UNAVAILABLE as error:
            self._write_failure = str(getattr(error, "orig", None) or error)
            raise
        else:
            self._write_failure = None
            self._observer.committed(noted)
            for call in then:
                call()

    def close(self) -> None:
        """Close every pooled connection."""
        self._checkpoints.close()
        self._engine.dispose()

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if not self.is_sqlite:
            yield
            return
        if not self._write_lock.acquire(timeout=WRITE_TURN_S):
            raise PoolTimeoutError(f"other writes of this process have taken {WRITE_TURN_S:g} s")
        try:
            yield
            self._checkpoints.wrote()
        finally:
            self._write_lock.release()

    @contextmanager
    def _observed_write(self) -> Iterator[None]:
        write = object()
        self._writing[write] = time.monotonic()
        try:
            yield
        finally:
            self._write_ended = time.monotonic()
            del self._writing[write]

    @contextmanager
    def _timed(self, operation: str) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            self._observer.took(operation, time.perf_counter() - started)


def note(connection: Connection, what: Iterable[str]) -> None:
    """Count what a transaction does, to be reported once it is committed."""
    connection.get_execution_options().get(NOTED, Counter()).update(what)


def after_commit(connection: Connection, call: Callable[[], object]) -> None:
    """Call a function once a transaction of `Database.write` is known to be committed, and not otherwise."""
    connection.get_execution_options()[THEN].append(call)


def insert_or_ignore(connection: Connection, table: Table) -> Insert:
    """Return an INSERT that leaves rows alone whose key exists already."""
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    # SQLite took its ON CONFLICT clause from PostgreSQL, and SQLAlchemy gives both the same methods.
    return cast("postgresql.Insert", dialect.insert(table)).on_conflict_do_nothing()


def now_ms(connection: Connection) -> int:
    """Return the database's own clock in milliseconds since 1970: the one clock that all replicas share."""
    if connection.dialect.name == "sqlite":
        return int(connection.scalar(text("SELECT CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)")))
    return int(connection.scalar(text("SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)")))
