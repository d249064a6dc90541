"""Many rows at once, handed to the driver as they are.

SQLAlchemy builds and converts each row's parameters; for batches of a thousand plain tuples of texts, bytes and
numbers that costs more than the database does (DECISIONS 6).
"""

import functools
from collections.abc import Collection, Sequence
from typing import Any

import msgspec
from sqlalchemy import ARRAY, Column, Connection, Dialect, Table, Text, TypeDecorator, bindparam
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeEngine

Rows = Sequence[tuple[object, ...]]
Names = tuple[str, ...]


COPIED_BYTES = 64 * 1024


def blob(content: bytes | None) -> bytearray | bytes | None:
    """Return bytes in the type that SQLite's driver takes as it is: for `bytes` it searches for an adapter.

    That is cheaper than a copy of a large value.
    """
    return content if content is None or len(content) > COPIED_BYTES else bytearray(content)


def insert(connection: Connection, table: Table, rows: Rows, names: Names = ()) -> None:
    """Insert tuples in the order of the table's columns, or of those that are named. Nothing for no rows."""
    if rows:
        # One row is no executemany, which is where `database_engines` copies.
        copies = connection.dialect.name == "postgresql" and len(rows) > 1
        statement = _copy(table, names) if copies else _insert(table, names, connection.dialect.paramstyle)
        connection.exec_driver_sql(statement, list(rows))


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


class _Texts(TypeDecorator[Collection[str]]):
    """Many texts as one parameter: a JSON array on SQLite, an array on PostgreSQL."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return Text() if dialect.name == "sqlite" else dialect.type_descriptor(ARRAY(Text))

    def process_bind_param(self, value: Collection[str] | None, dialect: Dialect) -> str | list[str]:
        values = list(value or ())
        return msgspec.json.encode(values).decode() if dialect.name == "sqlite" else values


class _OneOf(FunctionElement[bool]):
    # Of no declared type: to a boolean SQLAlchemy adds `= 1` for SQLite, which would then read the whole table.
    inherit_cache = True


def one_of(column: Column[str], name: str) -> _OneOf:
    """Return the condition that a text column has one of many values: one named parameter, however many there are.

    A query with it can be at module level: built once, it costs a third of one that is built for each batch.
    """
    return _OneOf(column, bindparam(name, type_=_Texts()))


@compiles(_OneOf, "sqlite")
def _listed(element: _OneOf, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401  # SQLAlchemy's protocol
    column, values = (compiler.process(part, **options) for part in element.clauses)
    return f"{column} IN (SELECT value FROM json_each({values}))"  # noqa: S608  # our own names


@compiles(_OneOf, "postgresql")
def _any(element: _OneOf, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401  # SQLAlchemy's protocol
    column, values = (compiler.process(part, **options) for part in element.clauses)
    return f"{column} = ANY({values})"


@functools.cache
def _insert(table: Table, names: Names, paramstyle: str) -> str:
    names = names or _all(table)
    marks = ", ".join(["?" if paramstyle == "qmark" else "%s"] * len(names))
    return f"INSERT INTO {table.name} ({_quoted(names)}) VALUES ({marks})"  # noqa: S608  # our own names


@functools.cache
def _copy(table: Table, names: Names) -> str:
    return f"COPY {table.name} ({_quoted(names or _all(table))}) FROM STDIN"


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


def _all(table: Table) -> Names:
    return tuple(column.name for column in table.c)


def _quoted(names: Names) -> str:
    return ", ".join(f'"{name}"' for name in names)
