"""SQLAlchemy engines of SQLite and PostgreSQL, with the options that each needs.

SQLite runs in WAL mode with `synchronous=FULL`; writes take its lock at their beginning (`BEGIN IMMEDIATE`).
"""

import sqlite3
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine import Dialect, ExceptionContext
from sqlalchemy.exc import OperationalError

from services.chassis.database import statements
from services.chassis.database import url as database_url
from services.chassis.database.bounded_connection import STATEMENT_S, BoundedConnection
from services.chassis.database.checkpoints import LOG_BYTES, LONGEST_LOG_PAGES

BUSY_TIMEOUT_S = 5  # how long SQLite waits for another process's lock
# A plan that is kept may be of the time when tables were empty: it reads them whole until they are analysed.
FRESH_PLANS = "plan_cache_mode=force_custom_plan"
SESSION = f"-c timezone=UTC -c {FRESH_PLANS} -c statement_timeout={STATEMENT_S}s"
POOL_SIZE = 12  # more than the threads of any service: writer, relay, consumer, senders, API readers
POOL_OVERFLOW = 10  # opened beyond them in need, and closed after use
POOL_WAIT_S = 5  # how long a thread waits for a connection that others use
CONNECT_S = 5


def sqlite_engine(url: str | URL) -> Engine:
    """Return an engine of a file, whose folder is made where it is missing."""
    if path := make_url(url).database:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    options = {"timeout": BUSY_TIMEOUT_S}
    engine = create_engine(
        url,
        pool_size=POOL_SIZE,
        max_overflow=POOL_OVERFLOW,
        pool_timeout=POOL_WAIT_S,
        connect_args=options,
        hide_parameters=True,
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _: object) -> None:
    connection.isolation_level = None  # SQLAlchemy's begin event decides, not the driver
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute(f"PRAGMA wal_autocheckpoint={LONGEST_LOG_PAGES}")
    connection.execute(f"PRAGMA journal_size_limit={LOG_BYTES}")


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes")
    statements.run(connection, "BEGIN IMMEDIATE" if writes else "BEGIN", ())


def postgresql_engine(url: str | URL) -> Engine:
    """Return an engine of a server."""
    engine = create_engine(
        url,
        pool_size=POOL_SIZE,
        max_overflow=POOL_OVERFLOW,
        pool_timeout=POOL_WAIT_S,
        pool_pre_ping=True,
        hide_parameters=True,  # they are people's names and addresses, and errors are logged
        isolation_level="READ COMMITTED",
        connect_args={"connect_timeout": CONNECT_S, "options": SESSION},
    )

    def connect(_: Dialect, __: object, args: tuple[Any, ...], options: dict[str, Any]) -> object:
        try:
            return BoundedConnection.connect(*args, **options)
        except psycopg.OperationalError as error:
            if why := database_url.refusal(engine.url):
                raise psycopg.OperationalError(f"{why} ({error})") from error
            raise

    event.listen(engine, "do_connect", connect)
    event.listen(engine, "handle_error", _without_values)
    event.listen(engine, "handle_error", _read_only, retval=True)
    return engine


def _without_values(context: ExceptionContext) -> None:
    """Leave of an error what the server puts first: DETAIL and CONTEXT show rows, with people's names and addresses."""
    error, wrapped = context.original_exception, context.sqlalchemy_exception
    primary = error.diag.message_primary if isinstance(error, psycopg.Error) else None
    if primary is None:
        return
    whole, error.args = str(error), (primary,)
    if wrapped is not None:
        wrapped.args = (str(wrapped.args[0]).replace(whole, primary),)


def _read_only(context: ExceptionContext) -> Exception | None:
    # psycopg counts it among internal errors, as if it were a bug: it is a standby, or a server that somebody closed.
    if isinstance(context.original_exception, psycopg.errors.ReadOnlySqlTransaction):
        return OperationalError(context.statement, None, context.original_exception)
    return None
