"""Events of operators' actions: rows that are appended in the transaction of the action, and published in order.

They have a table and numbers of their own. An older program publishes every row of `events` as a fact, the facts have
no holes between their numbers, and an action is also published while the relay is paused.
"""

import os
import pwd
import socket
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Index,
    Integer,
    Row,
    String,
    Table,
    Text,
    UniqueConstraint,
    func,
    insert,
    inspect,
    select,
    text,
    update,
)

from services.chassis.database.database import metadata
from services.chassis.database.text import storable
from services.chassis.messages.clock import from_micros, to_micros, utc_now
from services.chassis.messages.event import Metadata, NewEvent, StoredEvent
from services.chassis.messages.ids import new_id
from services.contracts.envelope import actor_of
from services.contracts.operations import ACTED, OperatorActed

LOCK = 0x4F504552  # PostgreSQL's advisory locks are per database
LONGEST_TEXT = 500
FACT = msgspec.json.Decoder(OperatorActed)

operations = Table(
    "operations",
    metadata,
    Column("sequence", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("event_id", String(36), nullable=False, unique=True),
    Column("subject", String(64), nullable=False),  # the tool, such as `relay`
    Column("version", Integer, nullable=False),
    Column("time", BigInteger, nullable=False),  # microseconds since 1970
    Column("data", Text, nullable=False),
    Column("correlation_id", String(64), nullable=False),
    Column("published", Boolean, nullable=False),
    UniqueConstraint("subject", "version"),
)
Index(
    "operations_unpublished",
    operations.c.sequence,
    postgresql_where=text("NOT published"),
    sqlite_where=text("NOT published"),
)


class Operator(msgspec.Struct, frozen=True):
    """The person who acts. Without a login the name is the operating system's, and not verified."""

    name: str
    host: str
    verified: bool = False


class Action(msgspec.Struct, frozen=True, kw_only=True):
    """An action of an operator: `tool.verb`, what it was about, how many of them, and why.

    With a `correlation_id` the action is part of the journey of the events that it leads to.
    """

    name: str
    selection: str
    count: int
    reason: str = ""
    correlation_id: str = ""


def system_operator() -> Operator:
    """Return the user of the operating system who runs this process."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container's user has no name
        name = f"uid {os.getuid()}"
    return Operator(name, socket.gethostname())


def record(connection: Connection, action: Action, operator: Operator, now: datetime) -> str:
    """Append the event of an action in the caller's transaction. Returns its correlation id.

    Call it last in the transaction: it takes the lock of the numbers, until the transaction ends.
    """
    if connection.dialect.name == "postgresql":  # SQLite's write lock is taken already
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
    subject, event_id = action.name.partition(".")[0], new_id()
    last = select(func.coalesce(func.max(operations.c.sequence), 0)).scalar_subquery()
    version = select(func.coalesce(func.max(operations.c.version), 0)).where(operations.c.subject == subject)
    row = {
        "sequence": last + 1,
        "event_id": event_id,
        "subject": subject,
        "version": version.scalar_subquery() + 1,
        "time": to_micros(now),
        "data": msgspec.json.encode(_fact(action, operator)).decode(),
        "correlation_id": action.correlation_id or event_id,
        "published": False,
    }
    connection.execute(insert(operations).values(row))
    return str(row["correlation_id"])


def has_table(connection: Connection) -> bool:
    """Return whether the service has a table for them: one without an outbox has none."""
    return inspect(connection).has_table(operations.name)


def record_by_system_user(connection: Connection, action: Action) -> str:
    """Append the event of an action that a command of this process's user takes now; see `record`."""
    return record(connection, action, system_operator(), utc_now())


def unpublished(connection: Connection, limit: int) -> list[StoredEvent]:
    """Return the oldest events that are not published yet, in order."""
    waiting = operations.c.published.is_(False)
    return [
        _stored(row)
        for row in connection.execute(select(operations).where(waiting).order_by(operations.c.sequence).limit(limit))
    ]


def mark_published(connection: Connection, events: Sequence[StoredEvent]) -> None:
    """Note that the broker has acknowledged events."""
    numbers = [stored.sequence for stored in events]
    connection.execute(update(operations).where(operations.c.sequence.in_(numbers)).values(published=True))


def _fact(action: Action, operator: Operator) -> OperatorActed:
    return OperatorActed(
        action=action.name,
        selection=storable(action.selection)[:LONGEST_TEXT],
        count=action.count,
        reason=storable(action.reason)[:LONGEST_TEXT],
        operator=storable(operator.name)[:LONGEST_TEXT],
        host=storable(operator.host)[:LONGEST_TEXT],
        verified=operator.verified,
    )


def _stored(row: Row[*tuple[Any, ...]]) -> StoredEvent:
    metadata = Metadata(row.correlation_id, actor=actor_of(FACT.decode(row.data).operator))
    event = NewEvent(row.event_id, row.subject, row.version, ACTED, row.data, metadata)
    return StoredEvent(row.sequence, from_micros(row.time), event)
