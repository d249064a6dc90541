"""Publishes the letters of dead records to the group's dead-letter topic, in a thread of its own.

No consumer waits for that topic, and no relay of events. A letter is published at least once: it is marked after the
broker has acknowledged it, and published again if the process ends in between.
"""

import threading
from collections.abc import Callable, Sequence

import msgspec
import structlog

from services.chassis.consumer.held import letter_store
from services.chassis.consumer.held.letter import letter
from services.chassis.consumer.held.record import Held
from services.chassis.database.database import UNAVAILABLE, Database
from services.chassis.messages.publisher import OpenProducer, Publisher, RecordRefusedError
from services.chassis.net.backoff import Backoff
from services.chassis.telemetry.telemetry import Telemetry

IDLE_S = 1.0  # polling interval for the refusals of other processes; those of this process wake the relay
BACKOFF_S = (1.0, 2.0, 5.0)

log = structlog.get_logger()


class LetterTopic(msgspec.Struct, frozen=True):
    """The dead-letter topic of a group, and what its relay needs. `leads` is true while this process has the lease."""

    topic: str
    group: str
    leads: Callable[[], bool]
    open_producer: OpenProducer
    refused: threading.Event


class LetterRelay:
    """Publishes letters until the stop, while this process leads."""

    name = "letters"

    def __init__(self, target: LetterTopic, database: Database, telemetry: Telemetry) -> None:
        self._target = target
        self._database = database
        self._health = telemetry.health
        self._clock = telemetry.clock
        self._backoff = Backoff(*BACKOFF_S)
        self._producer: Publisher | None = None

    def run(self, stop: threading.Event) -> None:
        """Publish what is due; wait and try again while database or broker is unreachable."""
        try:
            while not stop.is_set():
                self._health.beat(self.name)
                try:
                    published = self._target.leads() and self.publish()
                except (*UNAVAILABLE, ConnectionError) as error:
                    self._failed(error)
                    stop.wait(self._backoff.next())
                else:
                    self._backoff.reset()
                    self._health.has(self.name)
                    if not published:
                        self._wait(stop)
        finally:
            self._close()

    def publish(self) -> int:
        """Publish a chunk of letters and mark them. Returns their number. Raises ConnectionError."""
        self._target.refused.clear()  # before the look: what is refused from now on wakes the next one
        with self._database.read() as connection:
            letters = letter_store.due(connection)
        if letters:
            self._send(letters)
        elif self._producer:
            self._producer.poll()
        return len(letters)

    def _send(self, letters: Sequence[Held]) -> None:
        self._producer = self._producer or self._target.open_producer()
        try:
            self._producer.publish(letter(one, self._target.topic, self._target.group) for one in letters)
        except ConnectionError:
            self._close()
            raise
        except RecordRefusedError as error:
            self._close()
            self._refused(letters, error)
        else:
            with self._database.write() as connection:
                letter_store.published(connection, letters, self._clock())
            log.info("letters published", topic=self._target.topic, letters=len(letters))

    def _refused(self, letters: Sequence[Held], error: RecordRefusedError) -> None:
        """Publish the letters one by one, down to the one that the broker refuses: its record stays without one."""
        if len(letters) > 1:
            for one in letters:
                self._send([one])
            return
        with self._database.write() as connection:
            letter_store.refused(connection, letters[0])
        log.error("letter refused", topic=self._target.topic, record=letters[0].record.place, reason=str(error))

    def _failed(self, error: Exception) -> None:
        log.warning("letters wait", topic=self._target.topic, error=str(error))
        self._health.lacks(self.name, str(error), needed=False)

    def _close(self) -> None:
        if self._producer:
            self._producer.close()
            self._producer = None

    def _wait(self, stop: threading.Event) -> None:
        if not stop.is_set():
            self._target.refused.wait(IDLE_S)
