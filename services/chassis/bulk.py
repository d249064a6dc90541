"""Many rows at once, handed to the driver as they are.

SQLAlchemy builds and converts each row's parameters; for batches of a thousand plain tuples of texts, bytes and
numbers that costs more than the database does (DECISIONS 6).
"""

import functools
from collections.abc import Collection, Sequence

import msgspec
from sqlalchemy import Column, ColumnElement, Connection, Table, any_, func, select

Rows = Sequence[tuple[object, ...]]
Names = tuple[str, ...]


def insert(connection: Connection, table: Table, rows: Rows, names: Names = ()) -> None:
    """Insert tuples in the order of the table's columns, or of those that are named. Nothing for no rows."""
    if rows:
        connection.exec_driver_sql(_insert(table, names, connection.dialect.paramstyle), list(rows))


def insert_new(connection: Connection, table: Table, rows: Rows, names: Names = ()) -> int:
    """Insert those tuples whose keys are new. Returns how many were."""
    if not rows:
        return 0
    statement = _insert(table, names, connection.dialect.paramstyle) + " ON CONFLICT DO NOTHING"
    return connection.exec_driver_sql(statement, list(rows)).rowcount


def upsert(connection: Connection, table: Table, rows: Rows) -> None:
    """Insert tuples in the order of the table's columns, overwriting where the primary key exists already."""
    if rows:
        connection.exec_driver_sql(_upsert(table, connection.dialect.paramstyle), list(rows))


def change(connection: Connection, table: Table, name: str, same: Names, rows: Rows) -> int:
    """Set a column where others have given values: tuples of the new value and those. Returns how many rows did."""
    if not rows:
        return 0
    return connection.exec_driver_sql(_update(table, name, same, connection.dialect.paramstyle), list(rows)).rowcount


def one_of(connection: Connection, column: Column[str], values: Collection[str]) -> ColumnElement[bool]:
    """Return the condition that a text column has one of many values: one parameter, however many there are."""
    if connection.dialect.name == "sqlite":
        listed = func.json_each(msgspec.json.encode(list(values)).decode()).table_valued("value")
        return column.in_(select(listed.c.value))
    return column == any_(list(values))  # type: ignore[arg-type]  # psycopg adapts a list to an array


@functools.cache
def _insert(table: Table, names: Names, paramstyle: str) -> str:
    names = names or tuple(column.name for column in table.c)
    marks = ", ".join(["?" if paramstyle == "qmark" else "%s"] * len(names))
    return f"INSERT INTO {table.name} ({_quoted(names)}) VALUES ({marks})"  # noqa: S608  # our own names


@functools.cache
def _upsert(table: Table, paramstyle: str) -> str:
    keys = tuple(column.name for column in table.primary_key)
    others = [column.name for column in table.c if column.name not in keys]
    overwrite = ", ".join(f'"{name}" = excluded."{name}"' for name in others)
    return f"{_insert(table, (), paramstyle)} ON CONFLICT ({_quoted(keys)}) DO UPDATE SET {overwrite}"


@functools.cache
def _update(table: Table, name: str, same: Names, paramstyle: str) -> str:
    mark = "?" if paramstyle == "qmark" else "%s"
    where = " AND ".join(f'"{column}" = {mark}' for column in same)
    return f'UPDATE {table.name} SET "{name}" = {mark} WHERE {where}'  # noqa: S608  # our own names


def _quoted(names: Names) -> str:
    return ", ".join(f'"{name}"' for name in names)
