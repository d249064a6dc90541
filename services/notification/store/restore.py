"""Restores an empty store from its own topic, so that no mail is sent again.

Events keep their sequence numbers, and the relay's cursor is after them. A queued mail without an outcome is sent with
its old Message-ID. A notice that is read again finds its intents and creates none.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

import structlog
from sqlalchemy import Connection, bindparam, func, select, update

from services.chassis.consumer.decoding import Decoder, Event
from services.chassis.database import bulk
from services.chassis.database.database import Database
from services.chassis.database.text import storable
from services.chassis.messages.clock import Clock, to_micros, utc_now
from services.chassis.messages.record import Record
from services.chassis.outbox import operator_events
from services.chassis.outbox.event_store import counter, events
from services.chassis.outbox.fact_record import event_row
from services.chassis.outbox.lease import relay
from services.chassis.outbox.operator_events import Action, system_operator
from services.contracts.catalog import NOTIFICATION_EVENTS, TYPE_NAMES
from services.contracts.envelope import Envelope
from services.contracts.notification import (
    NotificationFailed,
    NotificationQueued,
    NotificationSent,
    NotificationSuppressed,
    without_text,
)
from services.notification.domain import IntentState
from services.notification.store.batch import INTENT
from services.notification.store.tables import intents

FACTS = (NotificationQueued, NotificationSuppressed, NotificationSent, NotificationFailed)

log = structlog.get_logger()


class RestoreError(Exception):
    """The topic holds a record that this service cannot have written; the message names it."""


def last_sequence(connection: Connection, *, lock: bool = False) -> int:
    """Return the last sequence number, 0 if nothing was ever appended; nobody appends before the end of a `lock`."""
    row = connection.execute(select(counter).with_for_update() if lock else select(counter)).one()
    return int(row.last_sequence)


def restore_if_empty(database: Database, read_history: Callable[[], Iterable[Sequence[Record]]]) -> None:
    """Restore an empty store from the log. Raises RestoreError and what `read_history` raises."""
    with database.read() as connection:
        if last_sequence(connection):
            return
    if last := restore(database, read_history()):
        log.info("restored from the log", last_sequence=last)


def restore(database: Database, batches: Iterable[Sequence[Record]], now: Clock = utc_now) -> int:
    """Restore events and intents. Returns the last sequence number, 0 without records. Raises RestoreError.

    Each batch has a transaction of its own, so that none is open while the log is read: the server, or another writer,
    would not wait that long. The store counts as empty until the last transaction. A restore that is interrupted, or
    that two replicas do at once, repeats what is there already and changes nothing.
    """
    decoder = Decoder({TYPE_NAMES[fact]: fact for fact in FACTS})
    for records in filter(None, batches):
        decoded = decoder.decode(records)
        for refusal in decoded.refused:
            raise RestoreError(f"{refusal.record.place}: {refusal.reason}: {refusal.detail}")
        with database.write() as connection:
            if last := last_sequence(connection, lock=True):
                return last  # another replica has restored it, and may have gone on
            _restore_events(connection, decoded.events)
            _restore_intents(connection, decoded.events)
    with database.write() as connection:
        return last_sequence(connection, lock=True) or _finish(connection, now())


def _finish(connection: Connection, now: datetime) -> int:
    count, last, time = connection.execute(
        select(func.count(), func.max(events.c.sequence), func.max(events.c.time))
    ).one()
    if last:
        action = Action(name="store.restore", selection=f"{NOTIFICATION_EVENTS.name} into an empty store", count=count)
        operator_events.record(connection, action, system_operator(), now)
        connection.execute(update(counter).values(last_sequence=last, last_time=time))
        connection.execute(update(relay).values(cursor=last))
    return last or 0


def _restore_events(connection: Connection, restored: Sequence[Event]) -> None:
    # The topic holds an event twice if it was published twice.
    bulk.insert_new(connection, events, [event_row(event.envelope, event.encoded) for event in restored])


def _restore_intents(connection: Connection, restored: Sequence[Event]) -> None:
    decided: list[tuple[object, ...]] = []
    settled: list[dict[str, object]] = []
    for event in restored:
        fact = event.data
        if isinstance(fact, NotificationQueued):
            state = (IntentState.OPEN, "", 0, 0, 0)
            decided.append(_intent_row(event.envelope, fact, storable(fact.personal.email), state))
        elif isinstance(fact, NotificationSuppressed):
            decided.append(
                _intent_row(event.envelope, fact, None, (IntentState.SUPPRESSED, storable(fact.reason), 0, 0, None))
            )
        elif isinstance(fact, NotificationSent):
            settled.append(_settlement(event.envelope, fact, IntentState.SENT, ""))
        elif isinstance(fact, NotificationFailed):
            settled.append(_settlement(event.envelope, fact, IntentState.FAILED, storable(without_text(fact.reason))))
    bulk.insert_new(connection, intents, decided, INTENT)
    if settled:
        connection.execute(update(intents).where(intents.c.notification_id == bindparam("settled")), settled)


def _intent_row(
    envelope: Envelope,
    fact: NotificationQueued | NotificationSuppressed,
    recipient: str | None,
    state: tuple[object, ...],
) -> tuple[object, ...]:
    what = (fact.notification_id, fact.notice_id, fact.template, recipient)
    whose = (fact.user_id, fact.user_version, envelope.id, envelope.correlation_id, envelope.traceparent)
    moment = to_micros(envelope.time)
    return (*what, *whose, *state, moment, moment)


def _settlement(
    envelope: Envelope, fact: NotificationSent | NotificationFailed, state: IntentState, detail: str
) -> dict[str, object]:
    return {
        "settled": fact.notification_id,
        "state": state,
        "detail": detail,
        "tries": fact.tries,
        "due_at": None,
        "updated_at": to_micros(envelope.time),
    }
