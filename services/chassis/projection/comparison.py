"""Comparison of the live tables with the rebuilt ones, in flat memory: a line for each row that differs."""

import heapq
from collections.abc import Iterator, Mapping
from itertools import groupby
from operator import itemgetter
from typing import Any

import msgspec
from sqlalchemy import Connection, Table, select

from services.chassis.database.statements import keys_by_bytes
from services.chassis.messages.printable import printable
from services.chassis.projection.description import Projection
from services.chassis.projection.shadow import Shadow

AT_ONCE = 1000  # rows
Values = dict[str, Any]  # by column


def differences(projection: Projection, shadow: Shadow, live: Connection, rebuilt: Connection) -> Iterator[str]:
    """Yield the lines, table by table, in the order of primary keys. Values are compared, not texts."""
    for table, other in zip(projection.tables, shadow.tables, strict=True):
        shown, decoded = projection.shown[table.name], projection.decoded
        both = heapq.merge(_side(live, table, 0), _side(rebuilt, other, 1), key=itemgetter(0, 1))
        for _, found in groupby(both, key=itemgetter(0)):
            sides = {side: _decoded(values, decoded) for _, side, values in found}
            if (old := sides.get(0)) != (new := sides.get(1)):
                yield printable(
                    f"{table.name}: live {_named(old, shown)}, rebuilt {_named(new, shown)}{_why(old, new)}"
                )


def flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, object]]:
    """Yield values by the path of their fields, such as `personal.email`."""
    for name, value in values.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _side(connection: Connection, table: Table, side: int) -> Iterator[tuple[list[Any], int, Values]]:
    query = select(table).order_by(*keys_by_bytes(connection, table))
    rows = connection.execute(query, execution_options={"yield_per": AT_ONCE})
    for row in rows.mappings():
        yield [_ordered(row[key.name]) for key in table.primary_key], side, dict(row)


def _ordered(value: object) -> object:
    return value.encode() if isinstance(value, str) else value


def _decoded(values: Values, decoders: Mapping[str, Any]) -> Values:
    found = {name: decoders[name](value) for name, value in values.items() if name in decoders and value is not None}
    return dict(flat(values | {name: msgspec.to_builtins(value) for name, value in found.items()}))


def _named(values: Values | None, shown: tuple[str, ...]) -> str:
    return "nothing" if values is None else " ".join(f"{name}={values[name]}" for name in shown)


def _why(old: Values | None, new: Values | None) -> str:
    if old is None or new is None:
        return ""
    changed = sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))
    return f"; different: {', '.join(changed)}"
