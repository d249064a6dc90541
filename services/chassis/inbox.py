"""The memory behind the rule *once*: which events of which source have been applied."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import (
    Column,
    Connection,
    Integer,
    LargeBinary,
    Select,
    String,
    Table,
    UniqueConstraint,
    insert,
    or_,
    select,
)
from sqlalchemy import tuple_ as row_of

from services.chassis.database import metadata
from services.chassis.decoding import Event
from services.chassis.rules import Applied, Verdict, once

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
CHUNK = 200  # rows asked for at once: SQLite's default limit on variables is far above 5 x 200


class Sifted(msgspec.Struct):
    """A batch by verdict, each part in its order."""

    fresh: list[Event] = []
    repeats: list[Event] = []
    conflicts: list[Event] = []


def sift(connection: Connection, events: Sequence[Event]) -> Sifted:
    """Return which events are fresh, and remember those."""
    memory = _Memory(connection, events)
    sifted = Sifted()
    parts = {Verdict.APPLY: sifted.fresh, Verdict.REPEAT: sifted.repeats, Verdict.CONFLICT: sifted.conflicts}
    for event in events:
        parts[memory.judge(event)].append(event)
    if sifted.fresh:
        connection.execute(insert(inbox), [_row(event) for event in sifted.fresh])
    return sifted


class _Memory:
    def __init__(self, connection: Connection, events: Sequence[Event]) -> None:
        self._by_id: dict[tuple[str, str], Applied] = {}
        self._by_version: dict[tuple[str, str, int], Applied] = {}
        for start in range(0, len(events), CHUNK):
            for row in connection.execute(_query(events[start : start + CHUNK])):
                self._keep(row.source, row.subject, Applied(row.version, row.event_id, row.digest))

    def judge(self, event: Event) -> Verdict:
        source, subject = event.envelope.source, event.envelope.subject
        incoming = Applied(event.envelope.version, event.envelope.id, event.digest)
        have = self._by_id.get((source, incoming.event_id))
        verdict = once(have or self._by_version.get((source, subject, incoming.version)), incoming)
        if verdict is Verdict.APPLY:
            self._keep(source, subject, incoming)
        return verdict

    def _keep(self, source: str, subject: str, applied: Applied) -> None:
        self._by_id[source, applied.event_id] = applied
        self._by_version[source, subject, applied.version] = applied


def _query(events: Sequence[Event]) -> Select[Any]:
    ids = [(e.envelope.source, e.envelope.id) for e in events]
    versions = [(e.envelope.source, e.envelope.subject, e.envelope.version) for e in events]
    same_id = row_of(inbox.c.source, inbox.c.event_id).in_(ids)
    same_version = row_of(inbox.c.source, inbox.c.subject, inbox.c.version).in_(versions)
    return select(inbox).where(or_(same_id, same_version))


def _row(event: Event) -> dict[str, object]:
    return {
        "source": event.envelope.source,
        "event_id": event.envelope.id,
        "subject": event.envelope.subject,
        "version": event.envelope.version,
        "digest": event.digest,
    }
