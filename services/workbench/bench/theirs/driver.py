"""Either database by its own driver, as far as both agree: a connection with explicit transactions."""

import sqlite3
from typing import Any, Protocol

import psycopg


class Cursor(Protocol):
    """The result of a statement."""

    rowcount: int

    def fetchone(self) -> tuple[Any, ...] | None:
        """Return the next row."""

    def fetchall(self) -> list[tuple[Any, ...]]:
        """Return all rows."""


class Connection:
    """A connection by URL. Statements have `?` for a parameter; commits wait for the disk."""

    def __init__(self, url: str) -> None:
        self._connection: Any
        if url.startswith("sqlite:"):
            path = url.removeprefix("sqlite:///")
            self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._connection.execute("PRAGMA synchronous=FULL")
            self._connection.execute("PRAGMA wal_autocheckpoint=4000")
            self._begin, self._mark = "BEGIN IMMEDIATE", "?"
        else:
            self._connection = psycopg.connect(url.replace("+psycopg", ""), autocommit=True)
            self._begin, self._mark = "BEGIN", "%s"

    def begin(self) -> None:
        """Begin a transaction that writes."""
        self._connection.execute(self._begin)

    def commit(self) -> None:
        """End it."""
        self._connection.execute("COMMIT")

    def execute(self, statement: str, values: tuple[object, ...]) -> Cursor:
        """Run a statement; psycopg has it prepared once it has come five times."""
        cursor: Cursor = self._connection.execute(statement.replace("?", self._mark), values)
        return cursor

    def close(self) -> None:
        """Close it."""
        self._connection.close()
