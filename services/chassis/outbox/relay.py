"""The relay: reads the event store in order and publishes each event's records. One relay runs at a time.

The cursor moves after the broker has acknowledged every record. On an error the relay closes the producer and starts
again after the last acknowledged event: delivery is at least once and in order.
"""

import threading
import time

import structlog

from services.chassis.database.database import UNAVAILABLE
from services.chassis.messages.clock import seconds_since
from services.chassis.messages.publisher import PartitionCountError
from services.chassis.net.backoff import Backoff
from services.chassis.net.pace import Pace
from services.chassis.outbox import divergence_check, event_store, stopped_events
from services.chassis.outbox.divergence_check import DivergedLogError
from services.chassis.outbox.event_publisher import EventPublisher, Outbox
from services.chassis.outbox.lease import Lease, LeaseLostError, Pause, paused
from services.chassis.telemetry.metrics.publishing import (
    OUTBOX_AGE,
    OUTBOX_PENDING,
    OUTBOX_STOPPED,
    RELAY_EPOCH,
    RELAY_HALTED,
    RELAY_PAUSED,
    RELAY_REFUSED,
)
from services.chassis.telemetry.telemetry import Telemetry

IDLE_S = 0.25  # polling interval for events of other processes; those of this process wake the relay
RENEW_S = 5.0
BACKOFF_S = (1.0,)
GATHER_S = 0.01  # while events are appended steadily

log = structlog.get_logger()


class Relay:
    """Publishes an outbox until the stop, then the rest of it if the broker is reachable."""

    name = "relay"

    def __init__(self, outbox: Outbox, appended: threading.Event, telemetry: Telemetry) -> None:
        self._outbox = outbox
        self._appended = appended
        self._epoch = telemetry.metrics.gauge(RELAY_EPOCH)
        self._halted = telemetry.metrics.gauge(RELAY_HALTED)
        self._refused = telemetry.metrics.counter(RELAY_REFUSED)
        self._publisher = EventPublisher(outbox, telemetry)
        self._health = telemetry.health
        self._clock = telemetry.clock
        self._backoff = Backoff(*BACKOFF_S)
        self._pace = Pace(GATHER_S)
        self._leads = False
        telemetry.metrics.on_scrape_together((OUTBOX_PENDING, OUTBOX_AGE, OUTBOX_STOPPED, RELAY_PAUSED), self._backlog)

    def leads(self) -> bool:
        """Return whether this process has the lease. Thread-safe."""
        return self._leads

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
            except (DivergedLogError, PartitionCountError) as error:
                self._halt(str(error))
                stop.wait(RENEW_S)
            except (*UNAVAILABLE, ConnectionError, LeaseLostError) as error:
                self._refused.inc(isinstance(error, LeaseLostError))
                log.warning("cannot publish now, trying again", error=str(error))
                self._health.lacks(self.name, str(error), needed=False)
                stop.wait(self._backoff.next())

    def _halt(self, reason: str) -> None:
        log.error("nothing is published", error=reason)
        self._halted.set(1)
        self._health.lacks(self.name, reason)

    def _lead(self, lease: Lease, stop: threading.Event) -> None:
        log.info("relay leads", epoch=lease.epoch, cursor=lease.cursor)
        self._epoch.set(lease.epoch)
        self._leads = True
        try:
            self._check_divergence(lease)
            self._publish(lease, stop)
        finally:
            self._leads = False
            self._epoch.set(0)
            self._give_back(lease)

    def _check_divergence(self, lease: Lease) -> None:
        newest = self._outbox.newest()
        with self._outbox.database.read() as connection:
            divergence_check.require_own(connection, newest)
        self._outbox.leases.renew(lease)  # reading the topics may have taken long

    def _publish(self, lease: Lease, stop: threading.Event) -> None:
        cursor, renewed = lease.cursor, 0.0
        try:
            while True:
                self._health.beat(self.name)
                if time.monotonic() - renewed > RENEW_S:
                    renewed = time.monotonic()
                    self._outbox.leases.renew(lease)
                    self._outbox.check_topics()
                    self._publisher.idle(lease)  # also while there is always something to publish
                self._pace.wait()
                self._appended.clear()
                stopping = stop.is_set()  # read before the store: events appended before the stop are seen
                chunk = self._publisher.next_chunk(cursor)
                if chunk.events and self._publisher.publish(lease, chunk):
                    cursor = chunk.events[-1].sequence
                    self._pace.count()
                elif stopping and not chunk.events:
                    return
                if not chunk.pause:
                    self._health.has(self.name)  # it publishes, or nothing waits
                self._halted.set(0)
                if chunk.is_last and not stopping and self._is_idle(chunk.pause, stop):
                    self._publisher.idle(lease)
        finally:
            self._publisher.close()

    def _is_idle(self, pause: Pause | None, stop: threading.Event) -> bool:
        """Wait for events, during a pause for its end, which no event brings nearer. False: there are events."""
        if pause:
            since = pause.since.isoformat(timespec="seconds")
            reason = f"paused since {since} by {pause.by}: {pause.reason or 'no reason given'}; `console relay resume`"
            self._health.lacks(self.name, reason, needed=False)
            return not stop.wait(IDLE_S)
        return not self._appended.wait(IDLE_S)

    def _give_back(self, lease: Lease) -> None:
        try:
            self._outbox.leases.give_back(lease)
        except (*UNAVAILABLE, LeaseLostError) as error:
            self._refused.inc(isinstance(error, LeaseLostError))
            log.warning("lease not given back, it ends by itself", error=str(error))

    def _backlog(self) -> tuple[float, float, float, float]:
        cursor = self._outbox.leases.cursor()
        with self._outbox.database.read() as connection:
            number, oldest = event_store.backlog(connection, cursor)
            stopped, pause = stopped_events.count(connection), paused(connection)
        now = self._clock()
        age = seconds_since(oldest, now) if oldest else 0.0
        return number, age, stopped, seconds_since(pause.since, now) if pause else 0.0
