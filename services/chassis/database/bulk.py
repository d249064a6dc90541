"""Many rows in one statement, handed to the driver as they are.

On SQLite a statement runs for each row, within the process. On PostgreSQL the rows are one JSON text, or a COPY: a
statement for each costs client and server four times as much, and only large values have one. SQLAlchemy builds and
converts each row's parameters; for batches of a thousand plain tuples that costs more than the database does
(DECISIONS 6).
"""

import functools
import operator
from collections.abc import Callable, Collection, Sequence
from typing import Any

import msgspec
from sqlalchemy import (
    Column,
    Connection,
    Dialect,
    LargeBinary,
    Table,
    Text,
    TypeDecorator,
    bindparam,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from services.chassis.database import json_rows, statements
from services.chassis.database.json_rows import Names, quoted

Rows = Sequence[tuple[object, ...]]
COPIED_BYTES = 64 * 1024
LEAST_COPY = 24  # rows: fewer are faster as JSON, which takes one round trip instead of three


def blob(content: bytes | None) -> bytearray | bytes | None:
    """Return bytes in the type that SQLite's driver takes as it is: for `bytes` it searches for an adapter.

    That is cheaper than a copy of a large value.
    """
    return content if content is None or len(content) > COPIED_BYTES else bytearray(content)


def insert(connection: Connection, table: Table, rows: Rows, names: Names = ()) -> None:
    """Insert tuples in the order of the table's columns, or of those that are named. Nothing for no rows."""
    if connection.dialect.name == "postgresql" and _are_large(table, rows, names):
        statements.run_many(connection, _insert(table, names or _all(table), "%s"), rows)
    elif connection.dialect.name == "postgresql" and len(rows) >= LEAST_COPY:
        _copy(connection, table, rows, names)
    else:
        _write(connection, table, names, rows)


def insert_new(connection: Connection, table: Table, rows: Rows, names: Names = ()) -> int:
    """Insert those tuples whose keys are new. Returns how many were."""
    return _write(connection, table, names, rows, "ON CONFLICT DO NOTHING")


def upsert(connection: Connection, table: Table, rows: Rows) -> None:
    """Insert tuples in the order of the table's columns, overwriting where the primary key exists already."""
    key, overwrite = _overwriting(table)
    if connection.dialect.name == "postgresql":
        rows = list({key(row): row for row in rows}.values())  # one statement cannot overwrite what it has inserted
    _write(connection, table, (), rows, overwrite)


def change(connection: Connection, table: Table, name: str, same: Names, rows: Rows) -> int:
    """Set a column where others have given values: tuples of the new value and those. Returns how many rows did.

    PostgreSQL locks the rows in the order of their primary keys.
    """
    if not rows:
        return 0
    if connection.dialect.name == "postgresql":
        text = json_rows.update(table, name, same)
        return int(statements.run(connection, text, [json_rows.rows(("new", *same), rows)]).rowcount)
    return statements.run_many(connection, _update(table, name, same), rows)


def _write(connection: Connection, table: Table, names: Names, rows: Rows, then: str = "") -> int:
    if not rows:
        return 0
    names = names or _all(table)
    if connection.dialect.name == "postgresql":
        text = f"{json_rows.insert(table, names)} {then}"
        return int(statements.run(connection, text, [json_rows.rows(names, rows)]).rowcount)
    return statements.run_many(connection, f"{_insert(table, names)} {then}", rows)


def _copy(connection: Connection, table: Table, rows: Rows, names: Names) -> None:
    text = f"COPY {table.name} ({quoted(names or _all(table))}) FROM STDIN"
    with statements.cursor_of(connection, text) as cursor, cursor.copy(text) as copy:
        for row in rows:
            copy.write_row(row)


class _Texts(TypeDecorator[Collection[str]]):
    """Many texts as one parameter, a JSON array."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Collection[str] | None, dialect: Dialect) -> str:  # noqa: ARG002  # SQLAlchemy's
        return msgspec.json.encode(list(value or ())).decode()


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
    # An array as a parameter costs the client eight times as much.
    return f"{column} = ANY(ARRAY(SELECT json_array_elements_text({values}::json)))"


def _are_large(table: Table, rows: Rows, names: Names) -> bool:
    """Return whether a row has a value of which JSON, as COPY, would hold several copies in memory."""
    places = _blobs(table, names or _all(table))
    return any(len(value) > COPIED_BYTES for row in rows for place in places if isinstance(value := row[place], bytes))


@functools.cache
def _blobs(table: Table, names: Names) -> tuple[int, ...]:
    return tuple(place for place, name in enumerate(names) if isinstance(table.c[name].type, LargeBinary))


@functools.cache
def _insert(table: Table, names: Names, mark: str = "?") -> str:
    return f"INSERT INTO {table.name} ({quoted(names)}) VALUES ({', '.join([mark] * len(names))})"  # noqa: S608  # our own


@functools.cache
def _overwriting(table: Table) -> tuple[Callable[[tuple[object, ...]], object], str]:
    keys = tuple(column.name for column in table.primary_key)
    others = [name for name in _all(table) if name not in keys]
    overwrite = ", ".join(f'"{name}" = excluded."{name}"' for name in others)
    key = operator.itemgetter(*(_all(table).index(name) for name in keys))
    return key, f"ON CONFLICT ({quoted(keys)}) DO UPDATE SET {overwrite}"


@functools.cache
def _update(table: Table, name: str, same: Names) -> str:
    where = " AND ".join(f'"{column}" = ?' for column in same)
    return f'UPDATE {table.name} SET "{name}" = ? WHERE {where}'  # noqa: S608  # our own names


def _all(table: Table) -> Names:
    return tuple(column.name for column in table.c)
