"""One SQL database per service: SQLite by default, PostgreSQL in production, one text for both.

Knows transactions and dialects, no table. SQLite runs in WAL mode with `synchronous=FULL`; writes take its lock at
their beginning (`BEGIN IMMEDIATE`) and one lock per process before that, so threads queue instead of polling.
"""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

import psycopg
from sqlalchemy import URL, Connection, Engine, Insert, MetaData, create_engine, event, make_url, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Dialect, ExceptionContext
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.sql.schema import Table

from services.chassis import database_url

P = ParamSpec("P")
T = TypeVar("T")

metadata = MetaData()  # of every table that this process knows

CHECKPOINT_PAGES = 4000  # of 4 KiB: with the default of 1,000 every other batch waits for the database file as well
BUSY_TIMEOUT_S = 10  # how long SQLite waits for another process's lock
POOL_SIZE = 12  # more than the threads of any service: writer, relay, consumer, senders, API readers
UNAVAILABLE = (OperationalError, InterfaceError, PoolTimeoutError)


class Database:
    """A database to read from and to write to, from any thread."""

    def __init__(self, url: str | URL) -> None:
        self.is_sqlite = make_url(url).get_backend_name() == "sqlite"
        self._engine = _sqlite_engine(url) if self.is_sqlite else _postgresql_engine(url)
        self._write_lock: AbstractContextManager[Any] = threading.Lock() if self.is_sqlite else nullcontext()
        self._trouble: str | None = None

    @property
    def engine(self) -> Engine:
        """The SQLAlchemy engine, for migrations."""
        return self._engine

    @property
    def system(self) -> str:
        """The kind of database, as OpenTelemetry calls it."""
        return "sqlite" if self.is_sqlite else "postgresql"

    @property
    def trouble(self) -> str | None:
        """Why the last write was not possible, None when it was."""
        return self._trouble

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Yield a connection to read with; it sees one committed moment per statement."""
        with self._engine.connect() as connection:
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
        with self._engine.connect() as connection:
            yield connection.execution_options(**options)

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Yield a connection in a transaction, committed at the end and rolled back on any exception.

        Waits for other writers. Raises one of UNAVAILABLE when the database is away or busy for too long.
        """
        try:
            with self._write_lock, self._engine.connect() as connection:
                writer = connection.execution_options(writes=True)
                with writer.begin():
                    yield writer
        except UNAVAILABLE as error:
            self._trouble = str(getattr(error, "orig", None) or error)
            raise
        else:
            self._trouble = None

    def close(self) -> None:
        """Close every pooled connection."""
        self._engine.dispose()


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


def _sqlite_engine(url: str | URL) -> Engine:
    if path := make_url(url).database:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    options = {"timeout": BUSY_TIMEOUT_S}
    engine = create_engine(url, pool_size=POOL_SIZE, connect_args=options, hide_parameters=True)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _: object) -> None:
    connection.isolation_level = None  # SQLAlchemy's begin event decides, not the driver
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}")


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _postgresql_engine(url: str | URL) -> Engine:
    engine = create_engine(
        url,
        pool_size=POOL_SIZE,
        pool_pre_ping=True,
        hide_parameters=True,  # they are people's names and addresses, and errors are logged
        isolation_level="READ COMMITTED",
        connect_args={"connect_timeout": 5, "options": "-c timezone=UTC"},
    )

    def connect(dialect: Dialect, _: object, args: tuple[Any, ...], options: dict[str, Any]) -> object:
        try:
            return dialect.connect(*args, **options)
        except psycopg.OperationalError as error:
            if why := database_url.refusal(engine.url):
                raise psycopg.OperationalError(f"{why} ({error})") from error
            raise

    event.listen(engine, "do_connect", connect)
    event.listen(engine, "handle_error", _read_only, retval=True)
    return engine


def _read_only(context: ExceptionContext) -> Exception | None:
    # psycopg counts it among internal errors, as if it were a bug: it is a standby, or a server that somebody closed.
    if isinstance(context.original_exception, psycopg.errors.ReadOnlySqlTransaction):
        return OperationalError(context.statement, None, context.original_exception)
    return None
