"""Flags addresses whose mail bounced permanently: each bounce becomes a command, committed with its batch.

A user who is unknown, or has another address by now, is not changed.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection

from services.chassis.consumer.decoding import Decoder, Event
from services.chassis.consumer.held.reasons import Refusal
from services.chassis.consumer.idempotency import Remembering, deduplicate
from services.chassis.consumer.subscription import Outcome
from services.chassis.messages.event import Metadata
from services.chassis.messages.record import Record
from services.chassis.outbox.event_store import appending
from services.contracts.catalog import TYPE_NAMES
from services.contracts.notification import NotificationFailed, codes_of
from services.user.commands import Command, Flag
from services.user.handlers import Tools, execute

SUBSCRIBED = {TYPE_NAMES[NotificationFailed]: NotificationFailed}


class BounceHandler:
    """Handles the batches of `notification.events.v1`; see `chassis.consumer.subscription.Handler`."""

    def __init__(self, tools: Tools, keep_inbox: timedelta) -> None:
        self._tools = tools
        self._keep_inbox = keep_inbox
        self._decoder = Decoder(SUBSCRIBED)

    def __call__(self, connection: Connection, records: Sequence[Record]) -> Outcome:
        """Apply a batch within the caller's transaction. Raises UnknownShapeError."""
        decoded = self._decoder.decode(records)
        outcome = Outcome(refused=decoded.refused, not_subscribed=decoded.not_subscribed)
        if decoded.events:  # most batches have none: they need not wait for the lock of the event store
            with appending(connection, self._tools.clock()) as pending:
                commands = self._new_commands(connection, decoded.events, outcome, pending.time)
                execute(connection, pending, commands, self._tools)
        return outcome

    def _new_commands(
        self, connection: Connection, events: Sequence[Event], outcome: Outcome, now: datetime
    ) -> list[Command]:
        deduplicated = deduplicate(connection, events, Remembering(now, self._keep_inbox))
        outcome.repeats.update(event.record.topic for event in deduplicated.repeats)
        outcome.refused += [Refusal(event.record, "conflict", _differs(event)) for event in deduplicated.conflicts]
        outcome.applied += [(event.record, event.envelope.type, event.envelope.time) for event in deduplicated.new]
        return [command for event in deduplicated.new for command in self._commands(event)]

    def _commands(self, event: Event) -> list[Command]:
        data, envelope = event.data, event.envelope
        if not isinstance(data, NotificationFailed) or not data.permanent:
            return []
        flag = Flag(envelope.subject, data.personal.email, codes_of(data.reason))
        metadata = Metadata(envelope.correlation_id, envelope.id, event.traceparent, actor=envelope.actor)
        return [Command(flag, self._tools.new_id(), hashlib.sha256(envelope.id.encode()).digest(), metadata)]


def _differs(event: Event) -> str:
    return f"the same version of user {event.envelope.subject} was applied with another id or content"
