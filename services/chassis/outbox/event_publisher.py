"""Publishes chunks of the outbox under one lease, and stops the events that the broker refuses for good.

A refusal names no record, so that a refused chunk is published again in smaller ones, down to the refused event. One
transaction stores a stopped event and moves the cursor behind it: other subjects go on, its own waits behind it.
"""

import time
from collections.abc import Callable, Mapping, Sequence

import msgspec
import structlog

from services.chassis.database.database import Database
from services.chassis.messages.clock import seconds_since
from services.chassis.messages.event import StoredEvent
from services.chassis.messages.publisher import (
    CheckTopics,
    LatestPublished,
    OpenProducer,
    Publisher,
    RecordRefusedError,
)
from services.chassis.messages.record import Outgoing
from services.chassis.outbox import event_store, stopped_events
from services.chassis.outbox.lease import NOT_PAUSED, Lease, Leases, Pause, paused
from services.chassis.outbox.spans import publishing
from services.chassis.telemetry.metrics.declared import SYSTEM
from services.chassis.telemetry.metrics.publishing import PUBLISH_LATENCY, SENT
from services.chassis.telemetry.telemetry import Telemetry

UNPAUSED = event_store.following(NOT_PAUSED)
CHUNK = 1000  # events published and acknowledged together
REMEDY = "`console outbox list` shows it; `console outbox retry` or `skip` decides"
log = structlog.get_logger()
Records = Callable[[StoredEvent], Sequence[Outgoing]]


class Outbox(msgspec.Struct, frozen=True):
    """Dependencies of a relay: the event store with its lease, and the functions that build and publish records.

    `newest` returns the latest published events; the store must have them too. `check_topics` checks the number of
    partitions of each topic.
    """

    database: Database
    leases: Leases
    records: Records
    open_producer: OpenProducer
    newest: LatestPublished = lambda: ()  # nothing is on the log yet
    check_topics: CheckTopics = lambda: None


class Chunk(msgspec.Struct, frozen=True):
    """Events to publish next. `blocked` are those subjects of theirs that have stopped events.

    `is_last`: the store had no more of them. `pause`: why there are none, if an operator has paused the relay.
    """

    events: Sequence[StoredEvent]
    blocked: set[str]
    is_last: bool
    pause: Pause | None = None

    @property
    def free(self) -> Sequence[StoredEvent]:
        """The events that can be published now."""
        return [stored for stored in self.events if stored.event.subject not in self.blocked]

    @property
    def behind(self) -> Sequence[StoredEvent]:
        """The events that wait behind an earlier one of their subject."""
        return [stored for stored in self.events if stored.event.subject in self.blocked]


class EventPublisher:
    """Publishes the chunks of an outbox. After any error it must be closed; the next chunk opens another producer."""

    def __init__(self, outbox: Outbox, telemetry: Telemetry) -> None:
        self._outbox = outbox
        self._telemetry = telemetry
        self._sent = telemetry.metrics.counter(SENT)
        self._latencies = telemetry.metrics.latencies(PUBLISH_LATENCY)
        self._producer: Publisher | None = None
        self._limit = CHUNK

    def next_chunk(self, cursor: int) -> Chunk:
        """Return the events to publish next, none while an operator has paused the relay."""
        with self._outbox.database.read() as connection:
            found = event_store.read(connection, cursor, self._limit, UNPAUSED)
            blocked = stopped_events.blocked(connection, found) if found else set()
            pause = None if found else paused(connection)
        return Chunk(found, blocked, is_last=len(found) < self._limit, pause=pause)

    def publish(self, lease: Lease, chunk: Chunk) -> bool:
        """Publish a chunk and move the cursor behind it. False: read a smaller one, a record of this one is refused.

        Raises ConnectionError, LeaseLostError.
        """
        started = time.perf_counter()
        free = chunk.free
        try:
            sent = self._send(lease, free)
        except RecordRefusedError as error:
            self.close()
            if len(free) > 1:
                self._limit = 1
                return False
            self._pass(lease, chunk, free, str(error))
            return True
        self._pass(lease, chunk)
        self._limit = min(2 * self._limit, CHUNK)
        self._count(free, sent, started)
        return True

    def idle(self, lease: Lease) -> None:
        """Serve the client's callbacks, and publish the stopped events whose retry is requested, each in its turn.

        During a pause of the relay nothing is published.
        """
        self._open(lease).poll()
        with self._outbox.database.read() as connection:
            if paused(connection):
                return
            waiting = event_store.these(connection, stopped_events.requested(connection))
        refused: set[str] = set()
        for stored in waiting:
            if stored.event.subject not in refused and not self._retry(lease, stored):
                refused.add(stored.event.subject)

    def close(self) -> None:
        """Drop what is queued in the client."""
        if self._producer:
            self._producer.close()
            self._producer = None

    def _send(self, lease: Lease, events: Sequence[StoredEvent]) -> Mapping[str, int]:
        producer = self._open(lease)
        with publishing(self._telemetry.tracing, events) as traced:
            # Lazily, so that the client sends the first records while the last are built.
            return producer.publish(record for event in traced for record in self._outbox.records(event))

    def _open(self, lease: Lease) -> Publisher:
        if self._producer is None:
            self._producer = self._outbox.open_producer()
            self._outbox.leases.renew(lease)  # the broker may have taken long to answer whether all rights are there
        return self._producer

    def _pass(self, lease: Lease, chunk: Chunk, refused: Sequence[StoredEvent] = (), reason: str = "") -> None:
        """Move the cursor behind a chunk, and store which of its events are stopped: the refused, and those behind."""
        now, behind = self._telemetry.clock(), chunk.behind
        with self._outbox.leases.writing(lease, cursor=chunk.events[-1].sequence) as connection:
            blocked = stopped_events.blocked(connection, behind) if behind else set()
            stopped_events.put(connection, refused, reason, now)
            stopped_events.put(connection, behind, stopped_events.BEHIND, now)
            # A subject may have been freed meanwhile: nobody would decide about what is put behind it only now.
            for stored in behind:
                if stored.event.subject not in blocked:
                    stopped_events.request_retry(connection, stored.sequence)
        for stored in refused:
            log.error("event stopped", **log_fields([stored]), reason=reason, remedy=REMEDY)

    def _retry(self, lease: Lease, stored: StoredEvent) -> bool:
        started = time.perf_counter()
        try:
            sent = self._send(lease, [stored])
        except RecordRefusedError as error:
            self.close()
            with self._outbox.leases.writing(lease) as connection:
                stopped_events.failed_again(connection, stored, str(error))
            log.error("event still stopped", **log_fields([stored]), reason=str(error), remedy=REMEDY)  # noqa: TRY400  # the message is complete without a traceback
            return False
        with self._outbox.leases.writing(lease) as connection:
            stopped_events.remove(connection, stored.sequence)
        self._count([stored], sent, started)
        return True

    def _count(self, events: Sequence[StoredEvent], sent: Mapping[str, int], started: float) -> None:
        for topic, number in sent.items():
            self._sent.labels(SYSTEM, topic).inc(number)
        now = self._telemetry.clock()
        self._latencies.add(
            (stored.event.type, seconds_since(stored.time, now), stored.event.metadata.traceparent) for stored in events
        )
        if events:
            log.info("published", **log_fields(events), duration_ms=round((time.perf_counter() - started) * 1000, 1))


def log_fields(events: Sequence[StoredEvent]) -> dict[str, object]:
    """Return the fields that identify events in a log line."""
    if len(events) == 1:
        event = events[0].event
        names = {"ce_id": event.event_id, "ce_type": event.type, "correlation_id": event.metadata.correlation_id}
        return {"events": 1, "sequence": events[0].sequence, **names}
    return {"events": len(events), "first_sequence": events[0].sequence, "last_sequence": events[-1].sequence}
