"""The batch consumer: effects and progress in one SQL transaction, so that each record takes effect exactly once.

It knows partitions, positions and failures; what a record means is its handler's business. The offset committed to
Kafka afterwards is a hint for lag tools and is never read back.
"""

import threading
from collections.abc import Callable

import structlog

from services.chassis.consumer.batch_processor import AWAY, BatchProcessor
from services.chassis.consumer.offset_store import LostRaceError
from services.chassis.consumer.positions import Positions
from services.chassis.consumer.subscription import Source, Subscription
from services.chassis.database.database import UNAVAILABLE, Database
from services.chassis.messages.record import TopicPartition
from services.chassis.telemetry.metrics.consuming import BATCH_SIZE, LOST_RACES, PAUSED
from services.chassis.telemetry.telemetry import Telemetry

POLL_S = 0.25
BACK_OFF_S = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)

log = structlog.get_logger()


class Consumer:
    """Runs a subscription against a database until told to stop.

    Transient failures (broker or database away) are waited out. Raises, and so stops the process, when going on
    would lose or falsify something: CannotApplyError, TopicChangedError, CeilingError, SourceError.
    """

    name = "consumer"

    def __init__(self, subscription: Subscription, database: Database, telemetry: Telemetry) -> None:
        self._subscription = subscription
        self._database = database
        self._lost_races = telemetry.metrics.counter(LOST_RACES)
        self._paused = telemetry.metrics.gauge(PAUSED).labels(subscription.group)
        self._sizes = telemetry.metrics.histogram(BATCH_SIZE).labels(subscription.group)
        self._health = telemetry.health
        self._positions = Positions(database, subscription.broker, subscription.partitions)
        self._applying = BatchProcessor(subscription, database, self._positions, telemetry)
        self._tried_again: frozenset[TopicPartition] = frozenset()
        self._failures = 0
        self._waiting = False

    @property
    def replaying(self) -> bool:
        """Whether a partition read from its beginning has not yet reached the end it had at the start."""
        return self._positions.replaying

    def run(self, stop: threading.Event) -> None:
        """Consume until told to stop; the batch in hand is committed first."""
        while not stop.is_set():
            source = self._open()
            self._waiting, self._tried_again = False, frozenset()
            try:
                while not stop.is_set():
                    self._health.beat(self.name)
                    self.step(source)
            except AWAY as error:
                # Raised within the assignment: only a new member gets a new assignment.
                self._back_off(error, stop.wait)
            finally:
                source.close()

    def _open(self) -> Source:
        subscription = self._subscription
        return subscription.open_source(subscription.group, subscription.topics, self._positions.starts)

    def step(self, source: Source) -> None:
        """Take one batch through to its commit, or wait a little for what was away the last time."""
        if self._subscription.dead_letters:
            self._subscription.dead_letters.poll()
        if self._waiting:
            self._try_to_resume(source)
            return
        records = source.poll(self._subscription.batch, POLL_S)
        self._positions.forget_all_but(source.assigned)
        try:
            self._try_parked_again(source, idle=not records)
            if records:
                self._applying.take(records)
        except LostRaceError as error:
            log.warning("another consumer was faster", group=self._subscription.group, reason=str(error))
            self._lost_races.inc()
            source.seek(self._positions.read_again(source.assigned))
        except AWAY as error:
            # Paused, not gone: polling keeps the membership, and nothing is dead-lettered for a dependency's sake.
            source.pause()
            self._waiting = True
            self._back_off(error, lambda seconds: source.poll(1, seconds))
        else:
            self._failures = 0
            self._paused.set(0)
            if records:
                self._sizes.observe(len(records))
                source.commit(self._positions.reached(records))

    def _try_parked_again(self, source: Source, *, idle: bool) -> None:
        # At each assignment, for this code may be newer than the one that parked; and when a person asks.
        fresh = source.assigned - self._tried_again
        self._applying.try_parked_again(fresh, asked=False)
        self._tried_again = source.assigned
        if idle:
            self._applying.try_parked_again(source.assigned, asked=True)

    def _try_to_resume(self, source: Source) -> None:
        try:
            source.seek(self._positions.read_again(source.assigned))
        except UNAVAILABLE as error:
            self._back_off(error, lambda seconds: source.poll(1, seconds))
        else:
            source.resume()
            self._waiting = False

    def _back_off(self, error: Exception, wait: Callable[[float], object]) -> None:
        seconds = BACK_OFF_S[min(self._failures, len(BACK_OFF_S) - 1)]
        self._failures += 1
        self._paused.set(1)
        told = {"group": self._subscription.group, "error": str(error), "seconds": seconds}
        log.warning("cannot consume now, trying again", **told)
        wait(seconds)
