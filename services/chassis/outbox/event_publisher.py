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


class EventPublisher:
    """Publishes the chunks of an outbox. After any error it must be closed; the next chunk opens another producer."""

    def __init__(self, outbox: Outbox, telemetry: Telemetry) -> None:
        self._outbox = outbox
        self._telemetry = telemetry
        self._sent = telemetry.metrics.counter(SENT)
        self._latencies = telemetry.metrics.latencies(PUBLISH_LATENCY)
        self._producer: Publisher | None = None
        self._limit = CHUNK

    def next_chunk(self, cursor: int) -> list[StoredEvent]:
        """Return the events to publish next, none while an operator has paused the relay."""
        with self._outbox.database.read() as connection:
            return event_store.read(connection, cursor, self._limit, NOT_PAUSED)

    def publish(self, lease: Lease, chunk: Sequence[StoredEvent]) -> bool:
        """Publish a chunk and move the cursor behind it. False: read a smaller one, a record of this one is refused.

        Raises ConnectionError, LeaseLostError.
        """
        started = time.perf_counter()
        free = self._free(chunk)
        try:
            sent = self._send(free)
        except RecordRefusedError as error:
            self.close()
            if len(free) > 1:
                self._limit = 1
                return False
            self._pass(lease, chunk, free, str(error))
            return True
        self._pass(lease, chunk, free)
        self._limit = min(2 * self._limit, CHUNK)
        self._count(free, sent, started)
        return True

    def idle(self, lease: Lease) -> Pause | None:
        """Serve the client's callbacks, and publish the stopped events whose retry is requested, each in its turn.

        During a pause of the relay nothing is published, and the pause is returned.
        """
        self._open().poll()
        with self._outbox.database.read() as connection:
            if pause := paused(connection):
                return pause
            waiting = event_store.these(connection, stopped_events.requested(connection))
        refused: set[str] = set()
        for stored in waiting:
            if stored.event.subject not in refused and not self._retry(lease, stored):
                refused.add(stored.event.subject)
        return None

    def close(self) -> None:
        """Drop what is queued in the client."""
        if self._producer:
            self._producer.close()
            self._producer = None

    def _free(self, chunk: Sequence[StoredEvent]) -> Sequence[StoredEvent]:
        with self._outbox.database.read() as connection:
            blocked = stopped_events.blocked(connection, chunk)
        return [stored for stored in chunk if stored.event.subject not in blocked] if blocked else chunk

    def _send(self, events: Sequence[StoredEvent]) -> Mapping[str, int]:
        producer = self._open()
        with publishing(self._telemetry.tracing, events) as traced:
            # Lazily, so that the client sends the first records while the last are built.
            return producer.publish(record for event in traced for record in self._outbox.records(event))

    def _open(self) -> Publisher:
        self._producer = self._producer or self._outbox.open_producer()
        return self._producer

    def _pass(
        self,
        lease: Lease,
        chunk: Sequence[StoredEvent],
        free: Sequence[StoredEvent],
        reason: str = "",
    ) -> None:
        """Move the cursor behind a chunk, and store which of its events are stopped.

        These are all that were not free, and with a reason the free ones, which are refused.
        """
        now, tried = self._telemetry.clock(), {stored.sequence for stored in free}
        refused = free if reason else []
        with self._outbox.leases.writing(lease, cursor=chunk[-1].sequence) as connection:
            blocked = stopped_events.blocked(connection, chunk)
            stopped_events.put(connection, refused, reason, now)
            behind = [stored for stored in chunk if stored.sequence not in tried]
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
            sent = self._send([stored])
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
