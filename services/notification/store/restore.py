"""Restores an empty store, or one from a backup, from its own topic, so that no mail is sent again.

Events keep their sequence numbers, and the relay's cursor is after them. A queued mail without an outcome is sent with
its old Message-ID. A notice that is read again finds its intents and creates none. The counter of a store stays as it
was until the last transaction: it separates what the store had from what is being restored.
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
from services.chassis.outbox import event_store, operator_events
from services.chassis.outbox.event_store import counter, events, last_sequence
from services.chassis.outbox.fact_record import event_row
from services.chassis.outbox.lease import published, relay
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


class OtherTopicError(Exception):
    """The topic cannot be what this store has published; the message names the place."""


def restore_if_needed(database: Database, read_history: Callable[[], Iterable[Sequence[Record]]]) -> None:
    """Restore a store that is empty, or whose restore has not ended. Raises as `restore` and `read_history` do.

    A store from a backup is not recognised: its relay finds that the log has more, and publishes nothing.
    """
    with database.read() as connection:
        known = last_sequence(connection)
        if known and connection.scalar(select(func.max(events.c.sequence))) == known:
            return
    if last := restore(database, read_history()):
        log.info("restored from the log", last_sequence=last)


def restore(database: Database, batches: Iterable[Sequence[Record]], now: Clock = utc_now) -> int:
    """Restore the events and intents that the store does not have. Returns the last sequence number, 0 without any.

    Each batch has a transaction of its own, so that none is open while the log is read: the server, or another writer,
    would not wait that long. A restore that is interrupted, or that two replicas do at once, repeats what is there
    already and changes nothing. Raises OtherTopicError.
    """
    with database.read() as connection:  # before the log is read: what another replica appends later is no loss
        restoration = Restoration(last_sequence(connection), published(connection))
    decoder = Decoder({TYPE_NAMES[fact]: fact for fact in FACTS})
    for records in filter(None, batches):
        decoded = decoder.decode(records)
        for refusal in decoded.refused:
            raise OtherTopicError(f"{refusal.record.place}: {refusal.reason}: {refusal.detail}")
        with database.write() as connection:
            if (last := last_sequence(connection, lock=True)) != restoration.known:
                return last  # another replica has restored it, and may have gone on
            restoration.add(connection, decoded.events)
    with database.write() as connection:
        last = last_sequence(connection, lock=True)
        return restoration.finish(connection, now()) if last == restoration.known else last


class Restoration:
    """A restore of what follows the sequence number `known`, whose events up to `cursor` are known to be published."""

    def __init__(self, known: int, cursor: int) -> None:
        self.known = known
        self._unpublished = set(range(cursor + 1, known + 1))  # in the store, not seen on the topic yet
        self._begun: set[int] = set()

    def add(self, connection: Connection, published: Sequence[Event]) -> None:
        """Restore the events of a batch that the store does not have, with their intents. Raises OtherTopicError."""
        self._require_own(connection, [event for event in published if event.envelope.sequence <= self.known])
        for event in published:
            self._require_complete(event)
        fresh = [event for event in published if event.envelope.sequence > self.known]
        _restore_events(connection, fresh)
        _restore_intents(connection, fresh)

    def finish(self, connection: Connection, now: datetime) -> int:
        """Let the store go on after the last event. Returns its sequence number."""
        fresh = events.c.sequence > self.known
        aggregates = select(func.count(), func.max(events.c.sequence), func.max(events.c.time)).where(fresh)
        count, last, time = connection.execute(aggregates).one()
        if not last:
            return self.known
        into = "a store from a backup" if self.known else "an empty store"
        action = Action(name="store.restore", selection=f"{NOTIFICATION_EVENTS.name} into {into}", count=count)
        operator_events.record(connection, action, system_operator(), now)
        connection.execute(update(counter).values(last_sequence=last, last_time=time))
        # An event of the backup may be missing on the topic although later ones are there: the relay was killed.
        connection.execute(update(relay).values(cursor=min(self._unpublished, default=last + 1) - 1))
        return int(last)

    def _require_own(self, connection: Connection, published: Sequence[Event]) -> None:
        stored = event_store.ids(connection, [event.envelope.sequence for event in published])
        for event in published:
            envelope = event.envelope
            if (found := stored.get(envelope.sequence)) != envelope.id:
                raise OtherTopicError(
                    f"{event.record.place} holds event {envelope.id} under sequence {envelope.sequence}, the store has "
                    f"{found or 'nothing'} there: it is no backup of this topic's publisher; use another backup, or "
                    "restore an empty database"
                )
            self._unpublished.discard(envelope.sequence)

    def _require_complete(self, event: Event) -> None:
        record, sequence = event.record, event.envelope.sequence
        first = record.partition not in self._begun
        self._begun.add(record.partition)
        if first and self.known and record.offset and sequence > self.known:
            raise OtherTopicError(
                f"{record.place}, the first of its partition, has sequence {sequence}, the backup ends with "
                f"{self.known}: retention has deleted records since the backup, so mails could be sent again; use a "
                "newer backup, or restore an empty database"
            )


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
    return (*what, *whose, *state, moment, moment, envelope.actor)


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
