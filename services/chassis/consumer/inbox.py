"""The memory behind the rule *once*: which events of which source have been applied."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

import msgspec
from sqlalchemy import (
    Column,
    Connection,
    Integer,
    LargeBinary,
    String,
    Table,
    UniqueConstraint,
    bindparam,
    select,
)

from services.chassis.consumer.decoding import Event
from services.chassis.consumer.idempotency import Applied, Verdict, once
from services.chassis.database import bulk
from services.chassis.database.database import metadata

inbox = Table(
    "inbox",
    metadata,
    Column("source", String(128), primary_key=True),
    Column("event_id", String(64), primary_key=True),
    Column("subject", String(64), nullable=False),
    Column("version", Integer, nullable=False),
    Column("digest", LargeBinary(32), nullable=False),
    UniqueConstraint("source", "subject", "version"),
)
# Per source, with a plain IN: for a row value IN a list SQLite reads the whole table.
SAME = select(inbox).where(inbox.c.source == bindparam("source"), bulk.one_of(inbox.c.event_id, "ids"))
Key = tuple[str, str]  # source, event id


class Sifted(msgspec.Struct):
    """A batch by verdict, each part in its order."""

    fresh: list[Event] = []
    repeats: list[Event] = []
    conflicts: list[Event] = []


def sift(connection: Connection, events: Sequence[Event]) -> Sifted:
    """Return which events are fresh, and remember those."""
    have = _read(connection, events)
    sifted = Sifted()
    parts = {Verdict.APPLY: sifted.fresh, Verdict.REPEAT: sifted.repeats, Verdict.CONFLICT: sifted.conflicts}
    for event in events:
        key, incoming = _key(event), Applied(event.envelope.version, event.envelope.id, event.digest)
        parts[once(have.get(key), incoming)].append(event)
        have.setdefault(key, incoming)
    _remember(connection, sifted, have)
    return sifted


def _remember(connection: Connection, sifted: Sifted, seen: Mapping[Key, Applied]) -> None:
    """Insert fresh events. One whose version is another event's is not inserted, and thereby a conflict."""
    fresh = sifted.fresh
    if not fresh:
        return
    if bulk.insert_new(connection, inbox, [_row(event, seen[_key(event)].digest) for event in fresh]) != len(fresh):
        inserted = _read(connection, fresh)
        sifted.fresh = [event for event in fresh if _key(event) in inserted]
        sifted.conflicts += [event for event in fresh if _key(event) not in inserted]


def _key(event: Event) -> Key:
    return event.envelope.source, event.envelope.id


def _read(connection: Connection, events: Sequence[Event]) -> dict[Key, Applied]:
    ids: defaultdict[str, list[str]] = defaultdict(list)
    for event in events:
        ids[event.envelope.source].append(event.envelope.id)
    found: dict[Key, Applied] = {}
    for source, wanted in ids.items():
        for row in connection.execute(SAME, {"source": source, "ids": wanted}):
            found[source, row.event_id] = Applied(row.version, row.event_id, row.digest)
    return found


def _row(event: Event, digest: bytes) -> tuple[object, ...]:
    envelope = event.envelope
    return (envelope.source, envelope.id, envelope.subject, envelope.version, bulk.blob(digest))
