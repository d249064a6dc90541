"""Handler of record batches: applies states to the replica, joins notices with it and queues the intents.

One call runs in the consumer's transaction, with a number of statements that does not depend on the batch size.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

import msgspec
from sqlalchemy import Connection

from services.chassis.consumer.decoding import Decoder, Event
from services.chassis.consumer.held.reasons import Refusal
from services.chassis.consumer.idempotency import Applied, Remembering, Verdict, deduplicate, newest
from services.chassis.consumer.subscription import Outcome
from services.chassis.database.text import storable
from services.chassis.messages.clock import Clock
from services.chassis.messages.event import Metadata, NewEvent
from services.chassis.messages.record import Record
from services.chassis.outbox.event_store import appending, last_versions
from services.contracts import shapes
from services.contracts.catalog import TYPE_NAMES
from services.contracts.notification import MAILED, Fact, NotificationQueued, NotificationSuppressed, Recipient
from services.contracts.user import UserNotice, UserState
from services.notification import domain
from services.notification.domain import Address, Intent, Notice, Replica

NAMES_USER = (UserState, UserNotice)  # values that repeat user and version; a tombstone has no value
CONFLICT = "the same version of user {0} was applied with another id or content"


class ReplicaRows(Protocol):
    """Bulk access to the replicas of a batch's users; see `store.batch.ReplicaRows`."""

    def replicas(self, user_ids: Collection[str]) -> dict[str, Replica]:
        """Return the replicas of users; unknown users are missing."""

    def put_replicas(self, replicas: Collection[Replica]) -> None:
        """Insert or replace replicas."""


class Rows(ReplicaRows, Protocol):
    """Bulk access to the rows of a batch's users; see `store.batch.Rows`. It keeps no history of erased users."""

    def add_addresses(self, addresses: Sequence[Address], since: datetime) -> None:
        """Add to the history of addresses; each user's earlier ones are former from now on."""

    def addresses(self, user_ids: Collection[str]) -> dict[str, list[Address]]:
        """Return each user's history, by version."""

    def waiting(self, user_ids: Collection[str]) -> list[Notice]:
        """Return the notices that wait for their users' states, each user's by version."""

    def add_waiting(self, notices: Sequence[Notice], since: datetime) -> None:
        """Store notices that wait for their users' states."""

    def release(self, notices: Sequence[Notice]) -> None:
        """Delete waiting notices."""

    def decided(self, notice_ids: Collection[str]) -> set[tuple[str, str | None]]:
        """Return (notice id, recipient) of the intents that exist for notices."""

    def add_intents(self, intents: Sequence[Intent], queued_at: datetime) -> None:
        """Insert intents, open or suppressed."""


class Tools(msgspec.Struct, frozen=True):
    """Dependencies of the handler."""

    decoder: Decoder
    open_rows: Callable[[Connection], Rows]
    new_id: Callable[[], str]
    clock: Clock
    keep_inbox: timedelta


class Handler:
    """Handles the batches of `user.state.v1` and `user.notices.v1`; see `chassis.consumer.loop.Handler`."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    def __call__(self, connection: Connection, records: Sequence[Record]) -> Outcome:
        """Apply a batch within the caller's transaction. Raises UnknownShapeError."""
        decoded = self._tools.decoder.decode(records)
        outcome = Outcome(refused=decoded.refused, not_subscribed=decoded.not_subscribed)
        with appending(connection, self._tools.clock()) as pending:
            batch = Batch(connection, self._tools, outcome)
            pending.events += batch.decide(decoded.events, pending.time)
        return outcome


class Fold:
    """Folds states into a replica, and does nothing else; for a rebuild, see `chassis.projection`."""

    def __init__(self, decoder: Decoder, open_rows: Callable[[Connection], ReplicaRows]) -> None:
        self._decoder = decoder
        self._open_rows = open_rows

    def __call__(self, connection: Connection, records: Sequence[Record]) -> Outcome:
        """Apply a batch within the caller's transaction. Raises UnknownShapeError."""
        decoded = self._decoder.decode(records)
        outcome, rows = Outcome(refused=decoded.refused), self._open_rows(connection)
        states = States(outcome)
        events = [event for event in decoded.events if states.is_consistent(event)]
        changed, _ = states.applied(events, rows.replicas({event.envelope.subject for event in events}))
        rows.put_replicas(changed.values())
        return outcome


class States:
    """The states of one batch, applied by the rule `newest`; what is refused is noted in the outcome."""

    def __init__(self, outcome: Outcome) -> None:
        self._outcome = outcome

    def applied(
        self, events: Sequence[Event], replicas: dict[str, Replica]
    ) -> tuple[dict[str, Replica], list[Address]]:
        """Apply states to `replicas`. Returns those that changed, and the new addresses."""
        changed: dict[str, Replica] = {}
        moves: list[Address] = []
        applied: list[Event] = []
        for event in events:
            incoming = _replica(event)
            have = replicas.get(incoming.user_id)
            verdict = newest(_applied(have) if have else None, _applied(incoming))
            if verdict is Verdict.APPLY:
                moves += _move(have, incoming)
                replicas[incoming.user_id] = changed[incoming.user_id] = incoming
                applied.append(event)
            elif verdict is Verdict.REPEAT:
                self._outcome.repeats[event.record.topic] += 1
            else:
                self.refuse_conflict(event)
        self.note_applied(applied)
        return changed, moves

    def is_consistent(self, event: Event) -> bool:
        """Return whether envelope and value agree; refuse the record otherwise."""
        data, envelope = event.data, event.envelope
        if not isinstance(data, NAMES_USER):
            return True
        if (data.user_id, data.version) != (envelope.subject, envelope.version):
            detail = f"the envelope has {envelope.subject} {envelope.version}, the value {data.user_id} {data.version}"
            self._outcome.refused.append(Refusal(event.record, "envelope", detail))
            return False
        if isinstance(data, UserState) and (problem := domain.oversized(data.personal)):
            self._outcome.refused.append(Refusal(event.record, "invalid", problem))
            return False
        return True

    def note_applied(self, events: Iterable[Event]) -> None:
        """Note events in the outcome."""
        self._outcome.applied += [(event.record, event.envelope.type, event.envelope.time) for event in events]

    def refuse_conflict(self, event: Event) -> None:
        """Refuse an event whose version was applied with another id or content."""
        self._outcome.refused.append(Refusal(event.record, "conflict", CONFLICT.format(event.envelope.subject)))


class Batch:
    """One batch being decided. States come first, so that a notice beside its state need not wait."""

    def __init__(self, connection: Connection, tools: Tools, outcome: Outcome) -> None:
        self._connection = connection
        self._rows = tools.open_rows(connection)
        self._new_id = tools.new_id
        self._keep_inbox = tools.keep_inbox
        self._outcome = outcome
        self._states = States(outcome)

    def decide(self, events: Sequence[Event], moment: datetime) -> list[NewEvent]:
        """Write what the events change and return the events they lead to."""
        events = [event for event in events if self._states.is_consistent(event)]
        states = [event for event in events if not isinstance(event.data, UserNotice)]
        fresh = self._fresh_notices([event for event in events if isinstance(event.data, UserNotice)], moment)
        replicas = self._rows.replicas({event.envelope.subject for event in states} | {n.user_id for n in fresh})
        changed, moves = self._states.applied(states, replicas)
        self._rows.add_addresses(moves, moment)
        self._rows.put_replicas(changed.values())
        released = [
            notice
            for notice in self._rows.waiting(changed.keys())
            if domain.is_joined(notice, replicas[notice.user_id])
        ]
        ahead = [notice for notice in fresh if not domain.is_joined(notice, replicas.get(notice.user_id))]
        waits = {notice.id for notice in ahead}
        self._rows.release(released)
        self._rows.add_waiting(ahead, moment)
        ready = released + [notice for notice in fresh if notice.id not in waits]
        return self._queue(list(self._new_intents(ready, replicas)), moment)

    def _fresh_notices(self, events: Sequence[Event], moment: datetime) -> list[Notice]:
        deduplicated = deduplicate(self._connection, events, Remembering(moment, self._keep_inbox))
        self._outcome.repeats.update(event.record.topic for event in deduplicated.repeats)
        for event in deduplicated.conflicts:
            self._states.refuse_conflict(event)
        self._states.note_applied(deduplicated.new)
        return [notice for notice in map(_notice, deduplicated.new) if notice.type in MAILED]

    def _new_intents(self, ready: Sequence[Notice], replicas: Mapping[str, Replica]) -> Iterable[Intent]:
        # Intents that store.restore read from the topic exist before their notice is read again.
        decided = _by_notice(self._rows.decided([notice.id for notice in ready]))
        changed = {notice.user_id for notice in ready if domain.needs_history(notice, replicas[notice.user_id])}
        histories = self._rows.addresses(changed)
        for notice in ready:
            history = histories.get(notice.user_id, [])
            intents = domain.intents(notice, replicas[notice.user_id], history, self._new_id)
            yield from domain.undecided(intents, decided[notice.id], history) if decided else intents

    def _queue(self, intents: Sequence[Intent], moment: datetime) -> list[NewEvent]:
        self._rows.add_intents(intents, moment)
        versions = Counter(last_versions(self._connection, list({intent.notice.user_id for intent in intents})))
        events = []
        for intent in intents:
            versions[intent.notice.user_id] += 1
            events.append(_event(intent, versions[intent.notice.user_id]))
        return events


def _by_notice(decided: Iterable[tuple[str, str | None]]) -> Mapping[str, Collection[str | None]]:
    recipients: defaultdict[str, set[str | None]] = defaultdict(set)
    for notice_id, recipient in decided:
        recipients[notice_id].add(recipient)
    return recipients


def _notice(event: Event) -> Notice:
    envelope, data = event.envelope, event.data
    kind = data.type if isinstance(data, UserNotice) else envelope.type
    what = (envelope.id, envelope.subject, envelope.version, kind)
    return Notice(*what, envelope.correlation_id, event.traceparent, envelope.actor)


def _replica(event: Event) -> Replica:
    state = _storable(event.data) if isinstance(event.data, UserState) else None
    return Replica(event.envelope.subject, event.envelope.version, event.envelope.id, event.digest, state)


def _storable(state: UserState) -> UserState:
    email = storable(state.personal.email)  # the one text of a state that has a column of its own
    if email == state.personal.email:
        return state
    return msgspec.structs.replace(state, personal=msgspec.structs.replace(state.personal, email=email))


def _applied(replica: Replica) -> Applied:
    return Applied(replica.version, replica.event_id, replica.digest)


def _move(have: Replica | None, incoming: Replica) -> list[Address]:
    if incoming.state is None:
        return []
    email = incoming.state.personal.email
    if have and have.state and have.state.personal.email == email:
        return []
    return [Address(incoming.user_id, incoming.version, email)]


def _event(intent: Intent, version: int) -> NewEvent:
    fact, notice = _fact(intent), intent.notice
    shape = shapes.written_version(type(fact))
    return NewEvent(
        event_id=intent.event_id,
        subject=notice.user_id,
        version=version,
        type=TYPE_NAMES[type(fact)],
        data=shapes.written(fact).decode(),
        metadata=Metadata(notice.correlation_id, notice.id, notice.traceparent, shape, notice.actor),
    )


def _fact(intent: Intent) -> Fact:
    notice = intent.notice
    what = (intent.notification_id, notice.id, notice.user_id, notice.version, intent.template)
    if intent.reason or intent.recipient is None:
        return NotificationSuppressed(*what, intent.reason or domain.Reason.ERASED)
    return NotificationQueued(*what, Recipient(intent.recipient))
