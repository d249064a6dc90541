"""The table of held records, and its rows. One table for both states, so that one code path serves both.

Programs of before it see the parked ones through a view; see `database.migrations.held_records`.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

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
    false,
    literal_column,
    text,
)

from services.chassis.consumer.held.reasons import State
from services.chassis.consumer.held.record import Held, key_of
from services.chassis.database import bulk
from services.chassis.database.database import metadata
from services.chassis.database.forgetting import Forgotten
from services.chassis.database.text import storable, unescaped
from services.chassis.messages.clock import from_micros, to_micros
from services.chassis.messages.record import Record

LONGEST_DETAIL = 1000
KEY_IS_NULL, HEADERS_ARE_UNREADABLE = 1, 2
PARKED = "state = 'parked'"
PUBLISHED, FINISHED = "published_at IS NOT NULL", "finished_at IS NOT NULL"
HEADERS = msgspec.json.Decoder(list[tuple[str, bytes | None]])

held = Table(
    "held",
    metadata,
    Column("topic", String(249), primary_key=True),
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("offset", BigInteger, primary_key=True, autoincrement=False),
    Column("topic_id", String(22), primary_key=True),  # a recreated topic has the same offsets again
    Column("timestamp_type", SmallInteger, nullable=False),
    Column("timestamp_ms", BigInteger, nullable=False),
    Column("key", Text, nullable=False),
    Column("value", LargeBinary),
    Column("headers", Text, nullable=False),  # JSON: pairs of name and value in base64
    Column("absent", SmallInteger, nullable=False, server_default="0"),  # what is stored as if it were empty
    Column("state", String(16), nullable=False, server_default=State.PARKED.value),
    Column("reason", String(32), nullable=False, server_default="handler_failed"),
    Column("detail", Text, nullable=False),
    Column("since", BigInteger, nullable=False),  # microseconds since 1970, as all times here
    Column("again", Boolean, nullable=False),  # a retry is requested
    Column("alone", Boolean, nullable=False, server_default=false()),  # without the earlier ones of its key
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("due", Boolean, nullable=False, server_default=false()),  # its letter is to be published
    Column("published_at", BigInteger),
    Column("finished_at", BigInteger),  # when it was applied or discarded
    Index("held_by_reason", "state", "reason", "since"),
    Index("held_by_key", "topic", "key", postgresql_where=text(PARKED), sqlite_where=text(PARKED)),
    Index(
        "held_to_retry", "topic", "partition", "offset", postgresql_where=text("again"), sqlite_where=text("again = 1")
    ),
    Index("held_to_publish", "since", postgresql_where=text("due"), sqlite_where=text("due = 1")),
    Index("held_published", "published_at", postgresql_where=text(PUBLISHED), sqlite_where=text(PUBLISHED)),
    Index("held_finished", "finished_at", postgresql_where=text(FINISHED), sqlite_where=text(FINISHED)),
)


def forgotten(keep: timedelta) -> tuple[Forgotten, ...]:
    """Return the rows that are deleted: dead records whose letters are published, and finished records."""
    published = held.c.state == State.DEAD.value, held.c.published_at.is_not(None), ~held.c.due, ~held.c.again
    return (
        Forgotten(held, held.c.published_at, keep, and_(*published)),
        Forgotten(held, held.c.finished_at, keep, held.c.finished_at.is_not(None) & ~held.c.due, name="held_finished"),
    )


# Constants, not parameters: SQLite uses a partial index only for the very words of its condition.
IS_PARKED = held.c.state == literal_column("'parked'")
IS_OPEN = held.c.state.in_([literal_column("'parked'"), literal_column("'dead'")])
UNMARKED = {"again": False, "alone": False}  # no retry is requested


def same(one: Held) -> ColumnElement[bool]:
    """Return the condition that a row is that of a held record."""
    record = one.record
    place = (held.c.topic == record.topic, held.c.partition == record.partition, held.c.offset == record.offset)
    return and_(*place, held.c.topic_id == one.topic_id)


def insert(connection: Connection, rows: Iterable[Held]) -> None:
    """Hold records; the letters of dead ones are due."""
    bulk.insert(connection, held, [_row(one) for one in rows])


def _row(one: Held) -> tuple[object, ...]:
    record, absent = one.record, 0
    if record.key is None:
        absent |= KEY_IS_NULL
    if record.headers is None:
        absent |= HEADERS_ARE_UNREADABLE
    headers = msgspec.json.encode(record.headers or []).decode()
    place = (record.topic, record.partition, record.offset, one.topic_id, record.timestamp_type, record.timestamp_ms)
    why = (one.state.value, one.reason, detail(one.detail), to_micros(one.since))
    retry = (one.retry, one.alone, one.attempts)
    return (*place, key_of(record), record.value, headers, absent, *why, *retry, one.state is State.DEAD, None, None)


def detail(content: str) -> str:
    """Return a detail as it is stored."""
    return storable(content)[:LONGEST_DETAIL]


def from_row(row: Row[*tuple[Any, ...]]) -> Held:
    """Return a row as a value; one without the columns `value` and `headers` has neither."""
    headers = getattr(row, "headers", None)
    record = Record(
        topic=row.topic,
        partition=row.partition,
        offset=row.offset,
        timestamp_type=row.timestamp_type,
        timestamp_ms=row.timestamp_ms,
        key=None if row.absent & KEY_IS_NULL else unescaped(row.key),
        value=getattr(row, "value", None),
        headers=None if headers is None or row.absent & HEADERS_ARE_UNREADABLE else HEADERS.decode(headers),
    )
    return Held(
        record=record,
        topic_id=row.topic_id,
        state=State(row.state),
        reason=row.reason,
        detail=row.detail,
        since=from_micros(row.since),
        retry=row.again,
        alone=row.alone,
        attempts=row.attempts,
        published_at=_moment(row.published_at),
        finished_at=_moment(row.finished_at),
    )


def _moment(micros: int | None) -> datetime | None:
    return None if micros is None else from_micros(micros)
