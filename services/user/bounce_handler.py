"""What the user service does with facts of delivery: an address that bounces for good is flagged, once.

Decides nothing itself: a bounce becomes a command of its own, decided and committed like any other. A user who has
another address by now, or is not known here, is left alone.
"""

import hashlib
from collections.abc import Callable, Sequence
from datetime import datetime

import msgspec
from sqlalchemy import Connection

from services.chassis.consumer.dead_letters import Refusal
from services.chassis.consumer.decoding import Decoder, Event
from services.chassis.consumer.idempotency import deduplicate
from services.chassis.consumer.subscription import Outcome
from services.chassis.messages.clock import Clock
from services.chassis.messages.event import Metadata
from services.chassis.messages.record import Record
from services.contracts.catalog import TYPE_NAMES
from services.contracts.notification import NotificationFailed
from services.user.handlers import Command, Flag

SUBSCRIBED = {TYPE_NAMES[NotificationFailed]: NotificationFailed}
Gather = Callable[[], Sequence[Command]]
Commit = Callable[[Connection, datetime, Gather, Callable[[], str]], object]  # see `store.commit_gathered`


class Tools(msgspec.Struct, frozen=True):
    """What the handler is given."""

    commit: Commit
    new_id: Callable[[], str]
    clock: Clock


class Handler:
    """Handles the batches of `notification.events.v1`; see `chassis.consumer.subscription.Handler`."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._decoder = Decoder(SUBSCRIBED)

    def __call__(self, connection: Connection, records: Sequence[Record]) -> Outcome:
        """Apply a batch within the caller's transaction. Raises UnknownShapeError."""
        decoded = self._decoder.decode(records)
        outcome = Outcome(refused=decoded.refused, not_subscribed=decoded.not_subscribed)
        if decoded.events:  # most batches hold none: they need not wait for their turn to append
            tools = self._tools
            tools.commit(
                connection, tools.clock(), lambda: self._gather(connection, decoded.events, outcome), tools.new_id
            )
        return outcome

    def _gather(self, connection: Connection, events: Sequence[Event], outcome: Outcome) -> list[Command]:
        deduplicated = deduplicate(connection, events)
        outcome.repeats.update(event.record.topic for event in deduplicated.repeats)
        outcome.refused += [Refusal(event.record, "conflict", _differs(event)) for event in deduplicated.conflicts]
        outcome.applied += [(event.record, event.envelope.type, event.envelope.time) for event in deduplicated.new]
        return [command for event in deduplicated.new for command in self._commands(event)]

    def _commands(self, event: Event) -> list[Command]:
        data, envelope = event.data, event.envelope
        if not isinstance(data, NotificationFailed) or not data.permanent:
            return []
        flag = Flag(envelope.subject, data.personal.email, data.reason)
        metadata = Metadata(envelope.correlation_id, envelope.id, event.traceparent)
        return [Command(flag, self._tools.new_id(), hashlib.sha256(envelope.id.encode()).digest(), metadata)]


def _differs(event: Event) -> str:
    return f"the same version of user {event.envelope.subject} was applied with another id or content"
