"""A PostgreSQL connection that waits a bounded time for each answer, whatever the server does.

`statement_timeout` is the server's and bounds nothing once the server is stopped (SIGSTOP, a frozen machine). Its
kernel still acknowledges every packet then, so that TCP's keepalives and time-outs see no failure either.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.errors import _WaitTimeout
from sqlalchemy import Connection

STATEMENT_S = 10  # how long a statement may take, waits for locks included
SILENCE_S = STATEMENT_S + 2.0  # a server that works has cancelled the statement before
INTERVAL_S = 0.1  # psycopg's own: between two looks for Ctrl-C

T = TypeVar("T")


class BoundedConnection(psycopg.Connection[Any]):
    """A connection that is closed when the server has been silent for too long."""

    silence_s: float | None = SILENCE_S

    def wait(self, gen: PQGen[T], interval: float = INTERVAL_S, timeout: float | None = None) -> T:
        """Wait for an answer. Raises OperationalError, with the connection closed, if none comes in time."""
        try:
            return super().wait(gen, interval, self.silence_s if timeout is None else timeout)
        except _WaitTimeout as error:
            self.close()  # the answer may still come: nothing else may be read here
            raise psycopg.OperationalError(f"the server has not answered for {self.silence_s:g} s") from error


@contextmanager
def unbounded(connection: Connection) -> Iterator[None]:
    """Let the statements of a block take any time, as a migration's may. The transaction ends with the block."""
    driver = connection.connection.driver_connection
    if not isinstance(driver, BoundedConnection):
        yield
        return
    connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
    driver.silence_s = None
    try:
        yield
    finally:
        driver.silence_s = SILENCE_S
