"""The event store, which is also the outbox.

`appending` locks the counter row until the caller's transaction ends. Therefore sequence numbers have no gaps and
follow the order of commits, for any number of replicas.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Integer,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    bindparam,
    func,
    select,
    update,
)

from services.chassis.database import bulk
from services.chassis.database.database import metadata, note
from services.chassis.database.statements import Statement
from services.chassis.messages.clock import from_micros, to_micros
from services.chassis.messages.event import Metadata, NewEvent, StoredEvent
from services.chassis.outbox.record_size import require_fit

counter = Table(
    "counter",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("last_sequence", BigInteger, nullable=False),
    Column("last_time", BigInteger, nullable=False),  # microseconds since 1970
)
events = Table(
    "events",
    metadata,
    # On SQLite an INTEGER key is the row id; a BIGINT key would need an index of its own.
    Column("sequence", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("event_id", String(36), nullable=False, unique=True),
    Column("subject", String(64), nullable=False),
    Column("version", Integer, nullable=False),
    Column("type", String(64), nullable=False),
    Column("time", BigInteger, nullable=False),  # microseconds since 1970, see LARGEST_SKEW_US
    Column("data", Text, nullable=False),
    Column("state", Text),  # the subject's state after the event, if the publisher stores one
    Column("metadata", Text, nullable=False),
    UniqueConstraint("subject", "version"),
)
LARGEST_SKEW_US = 60_000_000  # between the clocks of replicas: times go back only where a clock was wrong by more
LAST_VERSIONS = Statement(
    select(events.c.subject, func.max(events.c.version))
    .where(bulk.one_of(events.c.subject, "subjects"))
    .group_by(events.c.subject)
)
LOCK = Statement(select(counter.c.last_sequence, counter.c.last_time).with_for_update())
ADVANCE = Statement(update(counter).values(last_sequence=bindparam("sequence"), last_time=bindparam("time")))


def following(*conditions: ColumnElement[bool]) -> Statement:
    """Return the query of the events that follow a sequence number, none unless the conditions hold."""
    query = select(events).where(events.c.sequence > bindparam("after"), *conditions)
    return Statement(query.order_by(events.c.sequence).limit(bindparam("number", type_=Integer)))


FOLLOWING = following()
METADATA = msgspec.json.Decoder(Metadata)


class PendingEvents(msgspec.Struct):
    """Events that get their sequence numbers when the block ends. `time` is that of all of them."""

    time: datetime
    events: list[NewEvent] = []

    def append(self, event: NewEvent) -> None:
        """Add an event."""
        self.events.append(event)


@contextmanager
def appending(connection: Connection, now: datetime) -> Iterator[PendingEvents]:
    """Lock the event store, collect events, and insert them at the end of the block; on an exception insert nothing.

    Read inside the block what the events depend on: no other transaction can append meanwhile. The time of the events
    is `now`, or that of the last event if it is later by at most LARGEST_SKEW_US. The caller's transaction commits.
    Raises EventTooLargeError for an event that could never be published.
    """
    last, last_time = LOCK.row(connection)
    time = _not_before(to_micros(now), last_time)
    pending = PendingEvents(from_micros(time))
    yield pending
    require_fit(pending.events)
    rows = [_row(sequence, time, event) for sequence, event in enumerate(pending.events, last + 1)]
    if rows:
        bulk.insert(connection, events, rows)
        note(connection, (event.type for event in pending.events))
        ADVANCE.execute(connection, sequence=last + len(rows), time=time)


def last_sequence(connection: Connection, *, lock: bool = False) -> int:
    """Return the last sequence number, 0 if nothing was ever appended; nobody appends before the end of a `lock`."""
    row = connection.execute(select(counter).with_for_update() if lock else select(counter)).one()
    return int(row.last_sequence)


def read(connection: Connection, after: int, limit: int, query: Statement = FOLLOWING) -> list[StoredEvent]:
    """Return up to `limit` events that follow a sequence number, in order."""
    return [_stored(row) for row in query.rows(connection, after=after, number=limit)]


def these(connection: Connection, sequences: Sequence[int]) -> list[StoredEvent]:
    """Return the events of sequence numbers, in order."""
    if not sequences:
        return []
    query = select(events).where(events.c.sequence.in_(sequences)).order_by(events.c.sequence)
    return [_stored(row) for row in connection.execute(query)]


def ids(connection: Connection, sequences: Sequence[int]) -> dict[int, str]:
    """Return event ids by sequence number; unused numbers are left out."""
    query = select(events.c.sequence, events.c.event_id).where(events.c.sequence.in_(sequences))
    return {row.sequence: row.event_id for row in connection.execute(query)}


def backlog(connection: Connection, after: int) -> tuple[int, datetime | None]:
    """Return the number of events after a sequence number, and the time of the oldest."""
    # Subtracted, not counted: numbers have no gaps, and a backlog may have millions of events.
    last = select(func.max(events.c.sequence)).scalar_subquery()
    follows = events.c.sequence > after
    query = select(events.c.sequence, events.c.time, last).where(follows).order_by(events.c.sequence).limit(1)
    for first, time, end in connection.execute(query):
        return end - first + 1, from_micros(time)
    return 0, None


def last_versions(connection: Connection, subjects: Sequence[str]) -> dict[str, int]:
    """Return the last version of each subject that has one."""
    return dict(LAST_VERSIONS.rows(connection, subjects=subjects)) if subjects else {}


def _not_before(now: int, last: int) -> int:
    # Further ahead, the clock of the last event was wrong: it must not date all events until the others catch up.
    return last if now < last <= now + LARGEST_SKEW_US else now


def _row(sequence: int, time: int, event: NewEvent) -> tuple[object, ...]:
    origin = msgspec.json.encode(event.metadata).decode()
    named = (event.event_id, event.subject, event.version, event.type)
    return (sequence, *named, time, event.data, event.state, origin)


def _stored(row: Sequence[Any]) -> StoredEvent:
    # Unpacked: access by column name costs 3 µs more per event.
    sequence, event_id, subject, version, kind, time, data, state, origin = row
    event = NewEvent(event_id, subject, version, kind, data, METADATA.decode(origin), state)
    return StoredEvent(sequence, from_micros(time), event)
