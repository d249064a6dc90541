"""The parking lot: records that this code cannot apply, and the later records of their keys, in order.

Other keys go on. Parked records are retried at each assignment, as newer code may apply them, and on request.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

import msgspec
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Index,
    Integer,
    LargeBinary,
    Row,
    SmallInteger,
    String,
    Table,
    Text,
    and_,
    delete,
    func,
    select,
    update,
)

from services.chassis.database import bulk
from services.chassis.database.database import metadata
from services.chassis.database.statements import Statement
from services.chassis.database.text import escaped, storable, unescaped
from services.chassis.messages.clock import from_micros, to_micros
from services.chassis.messages.record import Record, TopicPartition

LONGEST_REASON = 500

parked = Table(
    "parked",
    metadata,
    Column("topic", String(249), primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("offset", BigInteger, primary_key=True),
    Column("timestamp_type", SmallInteger, nullable=False),
    Column("timestamp_ms", BigInteger, nullable=False),
    Column("key", Text, nullable=False),
    Column("value", LargeBinary),
    Column("headers", Text, nullable=False),  # JSON: pairs of name and value in base64
    Column("reason", Text, nullable=False),
    Column("since", BigInteger, nullable=False),  # microseconds since 1970
    Column("again", Boolean, nullable=False),  # a retry was requested
    Index("parked_by_key", "topic", "key"),
)
Place = tuple[str, str]  # topic, key
ANY = Statement(select(parked.c.offset).limit(1))


class Parked(msgspec.Struct, frozen=True):
    """A parked record, the reason, and the time of parking."""

    record: Record
    reason: str
    since: datetime


def key_of(record: Record) -> str:
    """Return a record's key as text, distinct for distinct keys."""
    return escaped(record.key or b"")


def blocked(connection: Connection, records: Sequence[Record]) -> set[Place]:
    """Return those keys of a batch, by topic, that have parked records."""
    if not ANY.rows(connection):
        return set()
    keys = {key_of(record) for record in records}
    query = select(parked.c.topic, parked.c.key).where(bulk.one_of(parked.c.key, "keys")).distinct()
    return {(row.topic, row.key) for row in connection.execute(query, {"keys": keys})}


def put(connection: Connection, records: Iterable[Record], reason: str, now: datetime) -> None:
    """Park records."""
    bulk.insert(
        connection, parked, [_row(record, storable(reason)[:LONGEST_REASON], to_micros(now)) for record in records]
    )


def queues(
    connection: Connection, partitions: Collection[TopicPartition], *, requested_only: bool
) -> list[list[Parked]]:
    """Return the parked records of partitions, a list per key in order; all, or only requested keys."""
    found: dict[Place, list[Parked]] = {}
    requested: set[Place] = set()
    for row in connection.execute(select(parked).order_by(parked.c.topic, parked.c.partition, parked.c.offset)):
        if TopicPartition(row.topic, row.partition) in partitions:
            found.setdefault((row.topic, row.key), []).append(_parked(row))
            if row.again:
                requested.add((row.topic, row.key))
    return [queue for place, queue in found.items() if place in requested or not requested_only]


def remove(connection: Connection, record: Record) -> None:
    """Delete a record that is now applied."""
    connection.execute(delete(parked).where(_same(record)))


def failed_again(connection: Connection, record: Record, reason: str) -> None:
    """Store the reason of a failed retry, and clear the request."""
    same_key = (parked.c.topic == record.topic, parked.c.key == key_of(record))
    connection.execute(update(parked).where(*same_key).values(again=False))
    connection.execute(update(parked).where(_same(record)).values(reason=storable(reason)[:LONGEST_REASON]))


def request_retry(connection: Connection, key: str | None = None) -> int:
    """Request a retry of a key, or of all. Returns the number of records."""
    statement = update(parked).values(again=True)
    return connection.execute(statement if key is None else statement.where(parked.c.key == storable(key))).rowcount


def listed(connection: Connection) -> list[list[Parked]]:
    """Return all parked records, a list per topic and key, the longest parked first."""
    found: dict[Place, list[Parked]] = {}
    for row in connection.execute(select(parked).order_by(parked.c.since, parked.c.topic, parked.c.offset)):
        found.setdefault((row.topic, row.key), []).append(_parked(row))
    return list(found.values())


def count_keys(connection: Connection) -> int:
    """Return the number of parked keys."""
    places = select(parked.c.topic, parked.c.key).distinct().subquery()
    return connection.scalar(select(func.count()).select_from(places)) or 0


def _same(record: Record) -> ColumnElement[bool]:
    place = (parked.c.topic == record.topic, parked.c.partition == record.partition, parked.c.offset == record.offset)
    return and_(*place)


def _row(record: Record, reason: str, since: int) -> tuple[object, ...]:
    place = (record.topic, record.partition, record.offset, record.timestamp_type, record.timestamp_ms)
    headers = msgspec.json.encode(record.headers or []).decode()
    return (*place, key_of(record), record.value, headers, reason, since, False)


def _parked(row: Row[tuple[object, ...]]) -> Parked:
    record = Record(
        topic=row.topic,
        partition=row.partition,
        offset=row.offset,
        timestamp_type=row.timestamp_type,
        timestamp_ms=row.timestamp_ms,
        key=unescaped(row.key),
        value=row.value,
        headers=msgspec.json.decode(row.headers, type=list[tuple[str, bytes | None]]),
    )
    return Parked(record, row.reason, from_micros(row.since))
