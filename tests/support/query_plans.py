"""Query plans of what is asked of a table, on SQLite and PostgreSQL."""

from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import event

from services.chassis.database.database import Database


def plans(database: Database, table: str, ask: Callable[[], object]) -> list[str]:
    """Return the lines of the plans of every query of a table that `ask` executes.

    PostgreSQL reads a small table as a whole and sorts it: without these steps the plan shows what an index can serve.
    """
    asked: list[tuple[str, Any]] = []

    def note(_connection: object, _cursor: object, statement: str, parameters: object, *_: object) -> None:
        if f" {table}" in statement:
            asked.append((statement, parameters))

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        ask()
    finally:
        event.remove(database.engine, "before_cursor_execute", note)
    return list(_explained(database, asked))


def full_scans(table: str, lines: list[str]) -> list[str]:
    """Return the lines that read all of a table, or all of an index of it."""
    return [line for line in lines if f"SCAN {table}" in line or f"Seq Scan on {table}" in line]


def sorts(lines: list[str]) -> list[str]:
    """Return the lines that sort, as no index has the order."""
    return [line for line in lines if "TEMP B-TREE" in line or "Sort" in line]


def _explained(database: Database, asked: list[tuple[str, Any]]) -> Iterator[str]:
    explain = "EXPLAIN QUERY PLAN " if database.is_sqlite else "EXPLAIN "
    with database.read() as connection:
        if not database.is_sqlite:
            for step in ("seqscan", "bitmapscan", "sort"):
                connection.exec_driver_sql(f"SET LOCAL enable_{step} = off")
        for statement, parameters in asked:
            yield from (str(row[-1]) for row in connection.exec_driver_sql(explain + statement, parameters))
