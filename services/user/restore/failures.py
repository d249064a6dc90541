"""Failed mails that were decided before the database was lost: their consumer must not flag an address again.

A failure is decided if its flag is on the log, or if the user's flag or address has changed after it. Any other failure
is handled again: it finds the flag set, or another address, and changes nothing, or nobody has handled it yet.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import Connection, func, or_, select

from services.chassis.consumer import idempotency
from services.chassis.consumer.decoding import Decoder, Event
from services.chassis.database.bulk import one_of
from services.chassis.database.statements import Statement
from services.chassis.messages.clock import to_micros
from services.chassis.messages.record import Record
from services.chassis.outbox.event_store import METADATA, events
from services.contracts.catalog import TYPE_NAMES
from services.contracts.notification import NotificationFailed
from services.contracts.user import ContactCleared, ContactFlagged, EmailChanged

FAILED = {TYPE_NAMES[NotificationFailed]: NotificationFailed}
CHANGES = or_(*(events.c.type == TYPE_NAMES[fact] for fact in (ContactFlagged, ContactCleared, EmailChanged)))
OF_USERS = one_of(events.c.subject, "users")
LATEST = Statement(
    select(events.c.subject, func.max(events.c.time)).where(CHANGES, OF_USERS).group_by(events.c.subject)
)
FLAGS = Statement(select(events.c.metadata).where(events.c.type == TYPE_NAMES[ContactFlagged], OF_USERS))


def remember_decided(connection: Connection, records: Sequence[Record], now: datetime) -> int:
    """Insert the decided failures of a batch into the inbox. Returns how many it has. Raises UnknownShapeError."""
    found = Decoder(FAILED).decode(records).events
    decided = _decided(connection, found) if found else []
    idempotency.remember(connection, decided, now)
    return len(decided)


def _decided(connection: Connection, found: Iterable[Event]) -> list[Event]:
    users = {event.envelope.subject for event in found}
    latest: dict[str, int] = dict(LATEST.rows(connection, users=users))
    flagged_by = {METADATA.decode(origin).causation_id for (origin,) in FLAGS.rows(connection, users=users)}
    return [
        event
        for event in found
        if event.envelope.id in flagged_by or to_micros(event.envelope.time) <= latest.get(event.envelope.subject, -1)
    ]
