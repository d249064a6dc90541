"""Rows as one JSON parameter of a statement: PostgreSQL's form of many rows in one round trip.

A list of arrays, one for each column, costs the client more: psycopg searches a type for each element.
"""

import functools
from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import BigInteger, Boolean, Column, Integer, LargeBinary, SmallInteger, Table

Names = tuple[str, ...]
# The others are texts. The special integers first: BigInteger and SmallInteger are kinds of Integer.
TYPES = ((SmallInteger, "smallint"), (BigInteger, "bigint"), (Integer, "integer"), (Boolean, "boolean"))


def rows(names: Names, values: Sequence[tuple[object, ...]]) -> str:
    """Return rows as the parameter; `names` are those of the values. Bytes are base64."""
    return msgspec.json.encode([dict(zip(names, row, strict=True)) for row in values]).decode()


@functools.cache
def insert(table: Table, names: Names) -> str:
    """Return an INSERT of named columns."""
    values = ", ".join(_from_json(table.c[name]) for name in names)
    given = _records([(name, table.c[name]) for name in names])
    return f"INSERT INTO {table.name} ({quoted(names)}) SELECT {values} FROM {given}"  # noqa: S608  # our own names


@functools.cache
def update(table: Table, name: str, same: Names) -> str:
    """Return an UPDATE of a column where others have given values. It locks the rows in the order of their keys."""
    keys = tuple(column.name for column in table.primary_key)
    given = _records([("new", table.c[name]), *((column, table.c[column]) for column in same)])
    on, locked = _equal("old", "given", same), _equal("old", "locked", keys)
    order = ", ".join(f'old."{key}"' for key in keys)
    return (
        f"WITH locked AS (SELECT {order}, given.new FROM {given} JOIN {table.name} old ON {on}"  # noqa: S608  # our own
        f" ORDER BY {order} FOR UPDATE OF old)"
        f' UPDATE {table.name} old SET "{name}" = locked.new FROM locked WHERE {locked}'
    )


def _equal(one: str, other: str, names: Names) -> str:
    return " AND ".join(f'{one}."{name}" = {other}."{name}"' for name in names)


def _records(columns: Sequence[tuple[str, Column[Any]]]) -> str:
    listed = ", ".join(f'"{name}" {_json_type(column)}' for name, column in columns)
    return f"json_to_recordset(%s::json) AS given({listed})"


def _json_type(column: Column[Any]) -> str:
    return next((name for kind, name in TYPES if isinstance(column.type, kind)), "text")


def _from_json(column: Column[Any]) -> str:
    given = f'given."{column.name}"'
    return f"decode({given}, 'base64')" if isinstance(column.type, LargeBinary) else given


def quoted(names: Names) -> str:
    """Return a list of names."""
    return ", ".join(f'"{name}"' for name in names)
