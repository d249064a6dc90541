"""The statements of the program before held records, which parks in a table `parked`: it runs beside the present one.

From `services/chassis/consumer/parking.py` of commit 4ebe983.
"""

from collections.abc import Iterable
from datetime import datetime

import msgspec
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    delete,
    select,
    update,
)

from services.chassis.database import bulk
from services.chassis.database.text import escaped
from services.chassis.messages.clock import to_micros
from services.chassis.messages.record import Record

parked = Table(
    "parked",
    MetaData(),
    Column("topic", String(249), primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("offset", BigInteger, primary_key=True),
    Column("timestamp_type", SmallInteger, nullable=False),
    Column("timestamp_ms", BigInteger, nullable=False),
    Column("key", Text, nullable=False),
    Column("value", LargeBinary),
    Column("headers", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("again", Boolean, nullable=False),
)


def blocked(connection: Connection, records: Iterable[Record]) -> set[tuple[str, str]]:
    """Return those keys of a batch, by topic, that have parked records."""
    if connection.scalar(select(parked.c.offset).limit(1)) is None:
        return set()
    keys = {escaped(record.key or b"") for record in records}
    query = select(parked.c.topic, parked.c.key).where(bulk.one_of(parked.c.key, "keys")).distinct()
    return {(row.topic, row.key) for row in connection.execute(query, {"keys": keys})}


def put(connection: Connection, records: Iterable[Record], reason: str, now: datetime) -> None:
    """Park records."""
    rows = [
        (
            *(one.topic, one.partition, one.offset, one.timestamp_type, one.timestamp_ms, escaped(one.key or b"")),
            *(one.value, msgspec.json.encode(one.headers or []).decode(), reason, to_micros(now), False),
        )
        for one in records
    ]
    bulk.insert(connection, parked, rows)


def places(connection: Connection, *, requested: bool = False) -> list[tuple[int, str]]:
    """Return offset and reason of what is parked, all or those whose retry is requested."""
    query = select(parked).order_by(parked.c.topic, parked.c.partition, parked.c.offset)
    return [(row.offset, row.reason) for row in connection.execute(query) if row.again or not requested]


def remove(connection: Connection, offset: int) -> int:
    """Delete a record that is now applied."""
    return connection.execute(delete(parked).where(parked.c.offset == offset)).rowcount


def failed_again(connection: Connection, key: str, offset: int, reason: str) -> None:
    """Store the reason of a failed retry, and clear the request."""
    connection.execute(update(parked).where(parked.c.key == key).values(again=False))
    connection.execute(update(parked).where(parked.c.offset == offset).values(reason=reason))


def request_retry(connection: Connection, key: str) -> None:
    """Request a retry of a key."""
    connection.execute(update(parked).values(again=True).where(parked.c.key == key))
