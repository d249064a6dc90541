"""The relay: reads the event store in order and publishes each event's records. One relay runs at a time.

The cursor moves after the broker has acknowledged every record. On an error the relay closes the producer and starts
again after the last acknowledged event: delivery is at least once and in order.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence

import msgspec
import structlog

from services.chassis.database.database import UNAVAILABLE, Database
from services.chassis.messages.clock import seconds_since
from services.chassis.messages.event import StoredEvent
from services.chassis.messages.publisher import LatestPublished, OpenProducer, Publisher
from services.chassis.messages.record import Outgoing
from services.chassis.net.backoff import Backoff
from services.chassis.outbox import divergence_check, event_store
from services.chassis.outbox.divergence_check import DivergedLogError
from services.chassis.outbox.lease import Lease, LeaseLostError, Leases
from services.chassis.outbox.spans import publishing
from services.chassis.telemetry.metrics.declared import SYSTEM
from services.chassis.telemetry.metrics.publishing import OUTBOX_AGE, OUTBOX_PENDING, PUBLISH_LATENCY, RELAY_EPOCH, SENT
from services.chassis.telemetry.telemetry import Telemetry

CHUNK = 1000  # events published and acknowledged together
IDLE_S = 0.25  # polling interval for events of other processes; those of this process wake the relay
RENEW_S = 5.0
BACKOFF_S = (1.0,)

log = structlog.get_logger()
Records = Callable[[StoredEvent], Sequence[Outgoing]]


class Outbox(msgspec.Struct, frozen=True):
    """Dependencies of a relay: the event store with its lease, and the functions that build and publish records.

    `newest` returns the latest published events; the store must have them too.
    """

    database: Database
    leases: Leases
    records: Records
    open_producer: OpenProducer
    newest: LatestPublished = lambda: ()  # nothing is on the log yet


class Relay:
    """Publishes an outbox until the stop, then the rest of it if the broker is reachable."""

    name = "relay"

    def __init__(self, outbox: Outbox, appended: threading.Event, telemetry: Telemetry) -> None:
        self._outbox = outbox
        self._appended = appended
        self._epoch = telemetry.metrics.gauge(RELAY_EPOCH)
        self._sent = telemetry.metrics.counter(SENT)
        self._latencies = telemetry.metrics.latencies(PUBLISH_LATENCY)
        self._health = telemetry.health
        self._clock = telemetry.clock
        self._tracing = telemetry.tracing
        self._backoff = Backoff(*BACKOFF_S)
        telemetry.metrics.on_scrape_together((OUTBOX_PENDING, OUTBOX_AGE), self._backlog)

    def run(self, stop: threading.Event) -> None:
        """Take the lease when it is free, publish, and release it at the end."""
        while not stop.is_set():
            self._health.beat(self.name)
            try:
                taken = self._outbox.leases.take()
                if isinstance(taken, Lease):
                    self._lead(taken, stop)
                else:
                    stop.wait(min(taken, RENEW_S))
            except DivergedLogError as error:
                log.error("nothing is published", error=str(error))  # noqa: TRY400  # the message is complete without a traceback
                self._health.lacks(self.name, str(error))
                stop.wait(RENEW_S)
            except (*UNAVAILABLE, ConnectionError, LeaseLostError) as error:
                log.warning("cannot publish now, trying again", error=str(error))
                self._health.lacks(self.name, str(error), needed=False)
                stop.wait(self._backoff.next())

    def _lead(self, lease: Lease, stop: threading.Event) -> None:
        log.info("relay leads", epoch=lease.epoch, cursor=lease.cursor)
        self._epoch.set(lease.epoch)
        try:
            self._check_divergence(lease)
            self._publish(lease, stop)
        finally:
            self._epoch.set(0)
            self._give_back(lease)

    def _check_divergence(self, lease: Lease) -> None:
        newest = self._outbox.newest()
        with self._outbox.database.read() as connection:
            divergence_check.require_own(connection, newest)
        self._outbox.leases.renew(lease)  # reading the topics may have taken long

    def _publish(self, lease: Lease, stop: threading.Event) -> None:
        producer = self._outbox.open_producer()
        cursor, renewed = lease.cursor, time.monotonic()
        try:
            while True:
                self._health.beat(self.name)
                if time.monotonic() - renewed > RENEW_S:
                    renewed = time.monotonic()
                    self._outbox.leases.renew(lease)
                self._appended.clear()
                stopping = stop.is_set()  # read before the store: events appended before the stop are seen
                chunk = self._read(cursor)
                if chunk:
                    cursor = self._send(lease, producer, chunk)
                elif stopping:
                    return
                else:
                    producer.poll()
                    self._appended.wait(IDLE_S)
                self._health.has(self.name)  # it publishes, or nothing waits
        finally:
            producer.close()

    def _send(self, lease: Lease, producer: Publisher, chunk: Sequence[StoredEvent]) -> int:
        started = time.perf_counter()
        with publishing(self._tracing, chunk) as events:
            # Lazily, so that the client sends the first records while the last are built.
            sent = producer.publish(record for event in events for record in self._outbox.records(event))
            self._outbox.leases.advance(lease, chunk[-1].sequence)
            self._count(chunk, sent)
            log.info("published", **_log_fields(chunk), duration_ms=round((time.perf_counter() - started) * 1000, 1))
        return chunk[-1].sequence

    def _count(self, chunk: Sequence[StoredEvent], sent: Mapping[str, int]) -> None:
        for topic, number in sent.items():
            self._sent.labels(SYSTEM, topic).inc(number)
        now = self._clock()
        self._latencies.add(
            (stored.event.type, seconds_since(stored.time, now), stored.event.metadata.traceparent) for stored in chunk
        )

    def _read(self, cursor: int) -> list[StoredEvent]:
        with self._outbox.database.read() as connection:
            return event_store.read(connection, cursor, CHUNK)

    def _give_back(self, lease: Lease) -> None:
        try:
            self._outbox.leases.give_back(lease)
        except (*UNAVAILABLE, LeaseLostError) as error:
            log.warning("lease not given back, it ends by itself", error=str(error))

    def _backlog(self) -> tuple[float, float]:
        cursor = self._outbox.leases.cursor()
        with self._outbox.database.read() as connection:
            number, oldest = event_store.backlog(connection, cursor)
        return number, seconds_since(oldest, self._clock()) if oldest else 0.0


def _log_fields(chunk: Sequence[StoredEvent]) -> dict[str, object]:
    if len(chunk) == 1:
        event = chunk[0].event
        names = {"ce_id": event.event_id, "ce_type": event.type, "correlation_id": event.metadata.correlation_id}
        return {"events": 1, "sequence": chunk[0].sequence, **names}
    return {"events": len(chunk), "first_sequence": chunk[0].sequence, "last_sequence": chunk[-1].sequence}
