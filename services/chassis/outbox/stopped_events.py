"""Stopped events: those that the broker refuses for good, and the later events of their subjects, in order.

Other subjects go on. An operator has an event published again or skipped; each decision is stored with its reason.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Literal

import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Integer,
    String,
    Table,
    Text,
    delete,
    func,
    select,
    update,
)

from services.chassis.database import bulk
from services.chassis.database.database import metadata
from services.chassis.database.forgetting import Forgotten
from services.chassis.database.statements import Statement
from services.chassis.messages.clock import from_micros, to_micros
from services.chassis.messages.event import StoredEvent

Decision = Literal["retry", "skip"]
LONGEST_REASON = 500
BEHIND = "behind an earlier event of its subject"

stopped = Table(
    "stopped_events",
    metadata,
    Column("sequence", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("subject", String(64), nullable=False, index=True),
    Column("reason", Text, nullable=False),
    Column("since", BigInteger, nullable=False),  # microseconds since 1970
    Column("decision", String(8)),
    Column("because", Text),  # the operator's reason to skip it
)
OPEN = stopped.c.decision.is_distinct_from("skip")
ANY = Statement(select(stopped.c.sequence).where(OPEN).limit(1))
OF_SUBJECTS = Statement(select(stopped.c.subject).where(OPEN, bulk.one_of(stopped.c.subject, "subjects")).distinct())


class Stopped(msgspec.Struct, frozen=True):
    """A stopped event, the broker's reason, and the operator's decision with its reason."""

    sequence: int
    subject: str
    reason: str
    since: datetime
    decision: Decision | None
    because: str | None


class NotFirstError(ValueError):
    """Only the first stopped event of a subject can be skipped; the message names it."""


def forgotten(keep: timedelta) -> Forgotten:
    """Return the events that are no longer listed: those that were skipped."""
    return Forgotten(stopped, stopped.c.since, keep, stopped.c.decision == "skip")


def blocked(connection: Connection, events: Sequence[StoredEvent]) -> set[str]:
    """Return those subjects of a chunk that have stopped events."""
    if not ANY.rows(connection):
        return set()
    return {subject for (subject,) in OF_SUBJECTS.rows(connection, subjects={one.event.subject for one in events})}


def put(connection: Connection, events: Iterable[StoredEvent], reason: str, now: datetime) -> None:
    """Stop events."""
    rows = [(one.sequence, one.event.subject, reason[:LONGEST_REASON], to_micros(now), None, None) for one in events]
    bulk.insert(connection, stopped, rows)


def requested(connection: Connection) -> list[int]:
    """Return the sequence numbers of all stopped events of subjects with a requested retry, in order."""
    again = select(stopped.c.subject).where(stopped.c.decision == "retry")
    query = select(stopped.c.sequence).where(OPEN, stopped.c.subject.in_(again)).order_by(stopped.c.sequence)
    return list(connection.scalars(query))


def remove(connection: Connection, sequence: int) -> None:
    """Delete an event that is now published."""
    connection.execute(delete(stopped).where(stopped.c.sequence == sequence))


def failed_again(connection: Connection, event: StoredEvent, reason: str) -> None:
    """Store the reason of a failed retry, and clear the request of its subject."""
    connection.execute(update(stopped).where(OPEN, stopped.c.subject == event.event.subject).values(decision=None))
    same = stopped.c.sequence == event.sequence
    connection.execute(update(stopped).where(same).values(reason=reason[:LONGEST_REASON]))


def request_retry(connection: Connection, sequence: int | None = None) -> int:
    """Request a retry of an event and those behind it, or of all. Returns the number of events."""
    statement = update(stopped).where(OPEN).values(decision="retry")
    if sequence is not None:
        subject = select(stopped.c.subject).where(stopped.c.sequence == sequence).scalar_subquery()
        statement = statement.where(stopped.c.subject == subject)
    return connection.execute(statement).rowcount


def skip(connection: Connection, sequence: int, because: str) -> bool:
    """Skip an event for good and request a retry of those behind it. False if it is not stopped.

    Raises NotFirstError for an event that another one of its subject precedes.
    """
    of_subject = stopped.c.subject == select(stopped.c.subject).where(stopped.c.sequence == sequence).scalar_subquery()
    waiting = list(connection.scalars(select(stopped.c.sequence).where(OPEN, of_subject).order_by("sequence")))
    if sequence not in waiting:
        return False
    if sequence != waiting[0]:
        raise NotFirstError(f"event {waiting[0]} of the same subject comes first: decide on that one")
    decided = {"decision": "skip", "because": because[:LONGEST_REASON]}
    connection.execute(update(stopped).where(stopped.c.sequence == sequence).values(decided))
    connection.execute(update(stopped).where(OPEN, of_subject).values(decision="retry"))
    return True


def listed(connection: Connection) -> list[Stopped]:
    """Return all stopped events in order, with those that were skipped."""
    rows = connection.execute(select(stopped).order_by(stopped.c.sequence))
    return [
        Stopped(row.sequence, row.subject, row.reason, from_micros(row.since), row.decision, row.because)
        for row in rows
    ]


def count(connection: Connection) -> int:
    """Return the number of stopped events that wait for a decision or a retry."""
    return connection.scalar(select(func.count()).where(OPEN)) or 0
