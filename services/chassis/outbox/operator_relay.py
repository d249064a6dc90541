"""Publishes operators' actions, in a thread and with a producer of its own: a missing topic delays no fact."""

import threading
from collections.abc import Callable

import msgspec
import structlog
from msgspec.structs import replace

from services.chassis.database.database import UNAVAILABLE, Database
from services.chassis.messages.event import StoredEvent
from services.chassis.messages.publisher import OpenProducer, Publisher, RecordRefusedError
from services.chassis.messages.record import Outgoing
from services.chassis.net.backoff import Backoff
from services.chassis.outbox import operator_events
from services.chassis.outbox.fact_record import fact_record
from services.chassis.telemetry.metrics.declared import SYSTEM
from services.chassis.telemetry.metrics.publishing import SENT
from services.chassis.telemetry.telemetry import Telemetry
from services.contracts.operations import TOPIC, source_of

CHUNK = 100
IDLE_S = 1.0
BACKOFF_S = (1.0, 5.0, 30.0)

log = structlog.get_logger()


class OperatorTopic(msgspec.Struct, frozen=True):
    """The publishing of a service's operator events: only while `leads`, with a producer that is opened when needed."""

    service: str
    leads: Callable[[], bool]
    open_producer: OpenProducer


class OperatorRelay:
    """Publishes a store's operator events in order, at least once."""

    name = "operator-relay"
    condition = "operations"

    def __init__(self, target: OperatorTopic, database: Database, telemetry: Telemetry) -> None:
        self._target = target
        self._database = database
        self._health = telemetry.health
        self._sent = telemetry.metrics.counter(SENT)
        self._backoff = Backoff(*BACKOFF_S)
        self._producer: Publisher | None = None

    def run(self, stop: threading.Event) -> None:
        """Look for events every second until the stop. The next process publishes the rest."""
        while not stop.is_set():
            self._health.beat(self.name)
            try:
                more = self._target.leads() and self.publish() == CHUNK
            except (*UNAVAILABLE, ConnectionError, RecordRefusedError) as error:
                self._failed(error)
                stop.wait(self._backoff.next())
            else:
                self._backoff.reset()
                self._health.has(self.condition)
                stop.wait(0 if more else IDLE_S)
        self._close()

    def publish(self) -> int:
        """Publish the oldest events and mark them. Returns their number; raises what the producer raises."""
        with self._database.read() as connection:
            events = operator_events.unpublished(connection, CHUNK)
        if not events:
            self._close()  # actions are rare: no connection is kept for the next one
            return 0
        self._producer = self._producer or self._target.open_producer()
        sent = self._producer.publish([_record(stored, self._target.service) for stored in events])
        with self._database.write() as connection:
            operator_events.mark_published(connection, events)
        self._sent.labels(SYSTEM, TOPIC).inc(sent[TOPIC])
        log.info("operator events published", events=len(events), last_sequence=events[-1].sequence)
        return len(events)

    def _failed(self, error: Exception) -> None:
        self._close()  # a producer must not be used after an error
        log.warning("operator events are not published, trying again", error=str(error))
        self._health.lacks(self.condition, str(error), needed=False)

    def _close(self) -> None:
        if self._producer:
            self._producer.close()
            self._producer = None


def _record(stored: StoredEvent, service: str) -> Outgoing:
    """Return the record of an action; its subject is the tool of this service, such as `user.relay`."""
    event = replace(stored.event, subject=f"{service}.{stored.event.subject}")
    return fact_record(replace(stored, event=event), source_of(service), TOPIC)
