"""The batch consumer: effects and progress in one SQL transaction, so that each record takes effect exactly once.

It knows partitions, positions and failures; what a record means is its handler's business. The offset committed to
Kafka afterwards is a hint for lag tools and is never read back.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

import msgspec
import structlog
from sqlalchemy import Connection

from services.chassis.database import UNAVAILABLE, Database
from services.chassis.dead_letters import CeilingError, DeadLetters, Refusal
from services.chassis.metrics import SYSTEM
from services.chassis.positions import Broker, Positions, TopicChangedError
from services.chassis.progress import LostRaceError
from services.chassis.record import Record, TopicPartition
from services.chassis.telemetry import Telemetry

POLL_S = 0.25
BACK_OFF_S = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)

log = structlog.get_logger()


class Outcome(msgspec.Struct):
    """What a handler did with a batch. `applied` holds each event's record, type and time, for the latency."""

    refused: list[Refusal] = []
    applied: list[tuple[Record, str, datetime]] = []
    repeats: Counter[str] = msgspec.field(default_factory=Counter)
    not_subscribed: Counter[str] = msgspec.field(default_factory=Counter)


Handler = Callable[[Connection, Sequence[Record]], Outcome]


class CannotApplyError(Exception):
    """A record cannot be applied by this code; the message says which and why."""


class Source(Protocol):
    """A group member; see `chassis.kafka.source.Source`."""

    @property
    def assigned(self) -> frozenset[TopicPartition]:
        """The partitions that are this member's now."""

    def poll(self, limit: int, timeout_s: float) -> list[Record]:
        """Return the records at hand, waiting only for the first."""

    def seek(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Go to an offset in every assigned partition, the beginning where none is named."""

    def pause(self) -> None:
        """Stop fetching."""

    def resume(self) -> None:
        """Fetch again."""

    def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Hint to Kafka how far the group is."""

    def close(self) -> None:
        """Leave the group."""


Starts = Callable[[Sequence[TopicPartition]], Mapping[TopicPartition, int]]
OpenSource = Callable[[str, Sequence[str], Starts], Source]  # group, topics, where to start


class Subscription(msgspec.Struct, frozen=True):
    """Who reads what, and what is done with it. `dead_letters` is None for a handler that refuses nothing.

    `wakes` are set after each commit: relay and others need not poll for what the handler wrote.
    """

    group: str
    topics: tuple[str, ...]
    handle: Handler
    open_source: OpenSource
    broker: Broker
    dead_letters: DeadLetters | None = None
    batch: int = 1000
    wakes: tuple[threading.Event, ...] = ()


class Consumer:
    """Runs a subscription against a database until told to stop.

    Transient failures (broker or database away) are waited out. Raises, and so stops the process, when going on
    would lose or falsify something: CannotApplyError, TopicChangedError, CeilingError, SourceError.
    """

    name = "consumer"

    def __init__(self, subscription: Subscription, database: Database, telemetry: Telemetry) -> None:
        self._subscription = subscription
        self._database = database
        self._metrics = telemetry.metrics
        self._health = telemetry.health
        self._clock = telemetry.clock
        self._positions = Positions(database, subscription.broker)
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
            self._waiting = False
            try:
                while not stop.is_set():
                    self._health.beat(self.name)
                    self.step(source)
            except (*UNAVAILABLE, ConnectionError) as error:
                # Raised within the assignment: only a new member gets a new assignment.
                self._back_off(error, stop.wait)
            finally:
                source.close()

    def _open(self) -> Source:
        subscription = self._subscription
        return subscription.open_source(subscription.group, subscription.topics, self._positions.starts)

    def step(self, source: Source) -> None:
        """Take one batch through to its commit, or wait a little for what was away the last time."""
        if self._waiting:
            self._try_to_resume(source)
            return
        records = source.poll(self._subscription.batch, POLL_S)
        self._positions.forget_all_but(source.assigned)
        if not records:
            return
        try:
            self._take(records)
        except LostRaceError as error:
            log.warning("another consumer was faster", reason=str(error))
            self._metrics.lost_races.inc()
            source.seek(self._positions.read_again(source.assigned))
        except (*UNAVAILABLE, ConnectionError) as error:
            # Paused, not gone: polling keeps the membership, and nothing is dead-lettered for a dependency's sake.
            source.pause()
            self._waiting = True
            self._back_off(error, lambda seconds: source.poll(1, seconds))
        else:
            self._failures = 0
            source.commit({TopicPartition(r.topic, r.partition): r.offset + 1 for r in records})

    def _take(self, records: Sequence[Record]) -> None:
        started = time.perf_counter()
        try:
            outcome = self._commit(records)
        except (*UNAVAILABLE, ConnectionError, LostRaceError, TopicChangedError, CeilingError):
            raise
        except Exception as error:  # noqa: BLE001  # whatever it is, the record behind it must be named
            self._find(records, error)
        else:
            self._observe(records, outcome, time.perf_counter() - started)

    def _find(self, records: Sequence[Record], error: Exception) -> None:
        # The batch failed as a whole: run it again record by record, so that the message names the one.
        if len(records) == 1:
            raise CannotApplyError(f"{records[0].place}: {type(error).__name__}: {error}") from error
        for record in records:
            self._take([record])

    def _commit(self, records: Sequence[Record]) -> Outcome:
        targets = self._positions.after(records)
        with self._database.write() as connection:
            outcome = self._subscription.handle(connection, records)
            if outcome.refused:
                self._put_aside(outcome.refused)
            self._positions.move(connection, targets)
        self._positions.moved(targets)
        for wake in self._subscription.wakes:
            wake.set()
        return outcome

    def _put_aside(self, refused: Sequence[Refusal]) -> None:
        if self._subscription.dead_letters is None:
            raise CannotApplyError(f"{refused[0].record.place}: {refused[0].detail}, and there is no dead-letter topic")
        self._subscription.dead_letters.put(refused, self._positions.topic_ids)
        for refusal in refused:
            log.error("dead letter", place=refusal.record.place, reason=refusal.reason, detail=refusal.detail)

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
        log.warning("cannot consume now, trying again", error=str(error), seconds=seconds)
        wait(seconds)

    def _observe(self, records: Sequence[Record], outcome: Outcome, seconds: float) -> None:
        group, metrics = self._subscription.group, self._metrics
        for topic, number in Counter(record.topic for record in records).items():
            metrics.consumed.labels(SYSTEM, topic, group).inc(number)
        metrics.process_duration.labels(SYSTEM, group).observe(seconds)
        for topic, number in outcome.repeats.items():
            metrics.repeats.labels(topic).inc(number)
        for topic, number in outcome.not_subscribed.items():
            metrics.not_subscribed.labels(topic).inc(number)
        for refusal in outcome.refused:
            metrics.dead_letters.labels(refusal.reason).inc()
        now = self._clock()
        kinds = {kind for _, kind, _ in outcome.applied}
        latencies = {kind: metrics.end_to_end.labels(metrics.service, kind) for kind in kinds}
        for record, kind, moment in outcome.applied:
            if not self._positions.is_replay(record):
                latencies[kind].observe((now - moment).total_seconds())
