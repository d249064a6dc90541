"""Idempotency and deduplication: the rule of each topic for a repeated record, and the inbox table behind `once`.

The inbox forgets an event after a time, but never the newest one of a subject: an event from before that time whose
subject is further is a repeat.
"""

import enum
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    UniqueConstraint,
    bindparam,
    exists,
    func,
    select,
)

from services.chassis.consumer.decoding import Event
from services.chassis.database import bulk
from services.chassis.database.database import metadata
from services.chassis.database.forgetting import Forgotten
from services.chassis.database.statements import Statement
from services.chassis.messages.clock import to_micros
from services.chassis.settings.environment import MARGIN

inbox = Table(
    "inbox",
    metadata,
    Column("source", String(128), primary_key=True),
    Column("event_id", String(64), primary_key=True),
    Column("subject", String(64), nullable=False),
    Column("version", Integer, nullable=False),
    Column("digest", LargeBinary(32), nullable=False),
    Column("applied_at", BigInteger),  # microseconds since 1970; NULL: by a program that did not know the column
    UniqueConstraint("source", "subject", "version"),
    Index("inbox_by_age", "applied_at"),
)
# One query per source, with a plain IN: for a row value IN a list SQLite scans the whole table.
NEWEST = Statement(
    select(inbox.c.subject, func.max(inbox.c.version))
    .where(inbox.c.source == bindparam("source"), bulk.one_of(inbox.c.subject, "subjects"))
    .group_by(inbox.c.subject)
)
BY_SOURCE = Statement(
    select(inbox.c.event_id, inbox.c.version, inbox.c.digest).where(
        inbox.c.source == bindparam("source"), bulk.one_of(inbox.c.event_id, "ids")
    )
)
Key = tuple[str, str]  # source, event id


class Verdict(enum.Enum):
    """The decision on a record: apply it, park it behind a gap, skip a repeat, or dead-letter a conflict."""

    APPLY = "apply"
    GAP = "gap"
    REPEAT = "repeat"
    CONFLICT = "conflict"


class Applied(msgspec.Struct, frozen=True):
    """An applied event: the version of its subject, its id and the SHA-256 of its data."""

    version: int
    event_id: str
    digest: bytes


class Remembering(msgspec.Struct, frozen=True):
    """The present moment, and for how long the inbox keeps an event."""

    now: datetime
    keep: timedelta

    @property
    def complete_since(self) -> datetime:
        """The time from which on the inbox has every applied event."""
        return self.now - self.keep / MARGIN


class Deduplicated(msgspec.Struct):
    """The events of a batch by verdict, each list in the order of the batch."""

    new: list[Event] = []
    repeats: list[Event] = []
    conflicts: list[Event] = []


def newest(have: Applied | None, incoming: Applied) -> Verdict:
    """Apply the higher version; gaps are normal (topics that carry whole states)."""
    if have is None or incoming.version > have.version:
        return Verdict.APPLY
    if incoming.version == have.version and incoming != have:
        return Verdict.CONFLICT
    return Verdict.REPEAT


def once(have: Applied | None, incoming: Applied) -> Verdict:
    """Apply each pair of source and id, and each version of a subject, once (topics that carry single messages)."""
    if have is None:
        return Verdict.APPLY
    return Verdict.REPEAT if incoming == have else Verdict.CONFLICT


def contiguous(have: Applied | None, incoming: Applied) -> Verdict:
    """Apply versions that rise by one from 1; a gap means a lost event (topics that are the source of truth)."""
    applied = have.version if have else 0
    if incoming.version == applied + 1:
        return Verdict.APPLY
    if incoming.version > applied:
        return Verdict.GAP
    return Verdict.CONFLICT if have and incoming.version == applied and incoming != have else Verdict.REPEAT


def forgotten(keep: timedelta) -> Forgotten:
    """Return the rows of the inbox that are deleted: those that a later version of their subject follows."""
    later = inbox.alias()
    same = (later.c.source == inbox.c.source, later.c.subject == inbox.c.subject)
    superseded = exists().where(*same, later.c.version > inbox.c.version)
    return Forgotten(inbox, inbox.c.applied_at, keep, superseded=superseded, dated=True)


def deduplicate(connection: Connection, events: Sequence[Event], remembering: Remembering) -> Deduplicated:
    """Sort events by the rule `once` and insert the new ones into the inbox."""
    have = _read(connection, events)
    have |= _forgotten(connection, [event for event in events if _key(event) not in have], remembering.complete_since)
    result = Deduplicated()
    parts = {Verdict.APPLY: result.new, Verdict.REPEAT: result.repeats, Verdict.CONFLICT: result.conflicts}
    for event in events:
        key, incoming = _key(event), Applied(event.envelope.version, event.envelope.id, event.digest)
        parts[once(have.get(key), incoming)].append(event)
        have.setdefault(key, incoming)
    _insert(connection, result, have, to_micros(remembering.now))
    return result


def remember(connection: Connection, events: Sequence[Event], now: datetime) -> None:
    """Insert events into the inbox that were applied before it was lost; those that it has stay."""
    bulk.insert_new(connection, inbox, [_row(event, event.digest, to_micros(now)) for event in events])


def _forgotten(connection: Connection, unknown: Sequence[Event], complete_since: datetime) -> dict[Key, Applied]:
    """Return those events of before a time, as if they were in the inbox, whose subjects are further.

    A subject's events are applied in order, so they were applied, or refused, before.
    """
    old: defaultdict[str, list[Event]] = defaultdict(list)
    for event in unknown:
        if event.envelope.time < complete_since:
            old[event.envelope.source].append(event)
    found: dict[Key, Applied] = {}
    for source, events in old.items():
        subjects = [event.envelope.subject for event in events]
        newest: dict[str, int] = dict(NEWEST.rows(connection, source=source, subjects=subjects))
        for event in events:
            if event.envelope.version < newest.get(event.envelope.subject, 0):
                found[_key(event)] = Applied(event.envelope.version, event.envelope.id, event.digest)
    return found


def _insert(connection: Connection, result: Deduplicated, seen: Mapping[Key, Applied], now: int) -> None:
    """Insert new events. One whose version belongs to another event is not inserted, and so a conflict."""
    new = result.new
    if not new:
        return
    if bulk.insert_new(connection, inbox, [_row(event, seen[_key(event)].digest, now) for event in new]) != len(new):
        inserted = _read(connection, new)
        result.new = [event for event in new if _key(event) in inserted]
        result.conflicts += [event for event in new if _key(event) not in inserted]


def _key(event: Event) -> Key:
    return event.envelope.source, event.envelope.id


def _read(connection: Connection, events: Sequence[Event]) -> dict[Key, Applied]:
    ids: defaultdict[str, list[str]] = defaultdict(list)
    for event in events:
        ids[event.envelope.source].append(event.envelope.id)
    found: dict[Key, Applied] = {}
    for source, wanted in ids.items():
        for event_id, version, digest in BY_SOURCE.rows(connection, source=source, ids=wanted):
            found[source, event_id] = Applied(version, event_id, digest)
    return found


def _row(event: Event, digest: bytes, now: int) -> tuple[object, ...]:
    envelope = event.envelope
    return (envelope.source, envelope.id, envelope.subject, envelope.version, bulk.blob(digest), now)
