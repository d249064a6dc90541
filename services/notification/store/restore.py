"""A store rebuilt from nothing learns from its own topic what was queued, sent and suppressed: nobody is mailed again.

The events take their old places in the event store, and the relay's cursor stands behind them. What was queued and
not settled is sent, with the Message-ID it had. Notices that come again find their intents and lead to nothing.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, bindparam, func, select, update

from services.chassis import bulk
from services.chassis.clock import to_micros
from services.chassis.decoding import Decoder, Event
from services.chassis.event_store import Metadata, counter, events
from services.chassis.lease import relay
from services.chassis.record import Record
from services.contracts.catalog import TYPE_NAMES
from services.contracts.notification import (
    NotificationFailed,
    NotificationQueued,
    NotificationSent,
    NotificationSuppressed,
)
from services.notification.domain import State
from services.notification.store.batch import INTENT
from services.notification.store.tables import intents

FACTS = (NotificationQueued, NotificationSuppressed, NotificationSent, NotificationFailed)


class RestoreError(Exception):
    """The topic holds a record that this service cannot have written; the message names it."""


def is_empty(connection: Connection) -> bool:
    """Return whether nothing was ever appended; whoever asks next waits for the end of this transaction."""
    return connection.execute(select(counter).with_for_update()).one().last_sequence == 0


def restore(connection: Connection, batches: Iterable[Sequence[Record]]) -> int:
    """Put back what the records tell. Returns the last sequence number, 0 without records. Raises RestoreError."""
    decoder = Decoder({TYPE_NAMES[fact]: fact for fact in FACTS})
    for records in batches:
        decoded = decoder.decode(records)
        for refusal in decoded.refused:
            raise RestoreError(f"{refusal.record.place}: {refusal.reason}: {refusal.detail}")
        _restore_events(connection, decoded.events)
        _restore_intents(connection, decoded.events)
    last, time = connection.execute(select(func.max(events.c.sequence), func.max(events.c.time))).one()
    if last:
        connection.execute(update(counter).values(last_sequence=last, last_time=time))
        connection.execute(update(relay).values(cursor=last))
    return last or 0


def _restore_events(connection: Connection, restored: Sequence[Event]) -> None:
    # An event that was published twice is there twice.
    bulk.insert_new(connection, events, [_event_row(event) for event in restored])


def _restore_intents(connection: Connection, restored: Sequence[Event]) -> None:
    decided = [event for event in restored if isinstance(event.data, NotificationQueued | NotificationSuppressed)]
    settled = [_settled(event) for event in restored if isinstance(event.data, NotificationSent | NotificationFailed)]
    bulk.insert_new(connection, intents, [_intent_row(event) for event in decided], INTENT)
    if settled:
        statement = update(intents).where(intents.c.notification_id == bindparam("of"))
        connection.execute(statement, settled)


def _event_row(event: Event) -> tuple[object, ...]:
    envelope = event.envelope
    metadata = Metadata(envelope.correlation_id, envelope.causation_id, envelope.traceparent)
    return (
        envelope.sequence,
        envelope.id,
        envelope.subject,
        envelope.version,
        envelope.type,
        to_micros(envelope.time),
        (event.record.value or b"").decode(),
        None,
        msgspec.json.encode(metadata).decode(),
    )


def _intent_row(event: Event) -> tuple[object, ...]:
    envelope, fact = event.envelope, event.data
    is_queued = isinstance(fact, NotificationQueued)
    recipient = fact.personal.email if isinstance(fact, NotificationQueued) else None
    state = (State.OPEN, "", 0, 0, 0) if is_queued else (State.SUPPRESSED, fact.reason, 0, 0, None)
    what = (fact.notification_id, fact.notice_id, fact.template, recipient)
    whose = (fact.user_id, fact.user_version, envelope.id, envelope.correlation_id, envelope.traceparent)
    return (*what, *whose, *state, to_micros(envelope.time), to_micros(envelope.time))


def _settled(event: Event) -> dict[str, Any]:
    fact = event.data
    is_sent = isinstance(fact, NotificationSent)
    return {
        "of": fact.notification_id,
        "state": State.SENT if is_sent else State.FAILED,
        "detail": "" if is_sent else fact.reason,
        "tries": fact.tries,
        "due_at": None,
        "updated_at": to_micros(event.envelope.time),
    }
