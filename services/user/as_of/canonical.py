"""Canonical form of the users of a moment, the same on every database; docs/as-of.md defines it."""

import hashlib
from collections.abc import Iterator
from typing import Any

import msgspec
from sqlalchemy import Connection, Table, select

from services.chassis.database.statements import keys_by_bytes
from services.user.as_of.builder import TABLES
from services.user.store import STATE

BATCH = 1000
ENCODER = msgspec.json.Encoder(order="sorted")


class Summary(msgspec.Struct, frozen=True):
    """The rows of each table, and the SHA-256 of all lines in hexadecimal."""

    rows: dict[str, int]
    sha256: str


def lines(connection: Connection) -> Iterator[tuple[str, bytes]]:
    """Yield the name of the table and the line of each row, in the canonical order."""
    for table in TABLES:
        name = str(table.name)  # SQLAlchemy's is of a type that msgspec does not encode
        for row in rows(connection, table):
            yield name, ENCODER.encode([name, *row]) + b"\n"


def summary(connection: Connection) -> Summary:
    """Return the summary of a database."""
    digest, rows = hashlib.sha256(), {table.name: 0 for table in TABLES}
    for name, line in lines(connection):
        digest.update(line)
        rows[name] += 1
    return Summary(rows, digest.hexdigest())


def rows(connection: Connection, table: Table) -> Iterator[list[Any]]:
    """Yield the values of each row in the canonical order; a state is decoded."""
    query = select(table).order_by(*keys_by_bytes(connection, table))
    names = [column.name for column in table.columns]
    for row in connection.execute(query, execution_options={"yield_per": BATCH}):
        # Decoded, not as text: a state that was written before a field was added has the field's default.
        yield [STATE.decode(value) if name == "state" else value for name, value in zip(names, row, strict=True)]
