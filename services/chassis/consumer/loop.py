"""The batch consumer: each record takes effect exactly once, as effects and offsets share one SQL transaction.

The loop polls, retries with backoff and handles rebalances; `batch_processor` applies the batch. The offset committed
to Kafka afterwards is a hint for lag tools and is never read back.
"""

import threading
import time
from collections.abc import Callable, Mapping

import structlog

from services.chassis.consumer.batch_processor import DEPENDENCY_ERRORS, BatchProcessor
from services.chassis.consumer.metrics import ConsumerMetrics
from services.chassis.consumer.offset_store import OffsetConflictError
from services.chassis.consumer.offset_tracker import OffsetTracker
from services.chassis.consumer.retries import Retries
from services.chassis.consumer.subscription import GroupMember, Subscription
from services.chassis.database.database import UNAVAILABLE, Database
from services.chassis.kafka.admin import BrokerRefusedError
from services.chassis.messages.record import TopicPartition
from services.chassis.net.backoff import Backoff
from services.chassis.net.pace import Pace
from services.chassis.telemetry.metrics.consuming import BATCH_SIZE, LOST_RACES, PAUSED
from services.chassis.telemetry.telemetry import Telemetry

POLL_S = 0.25
HINT_S = 1.0  # between two commits to Kafka while records arrive
BACKOFF_S = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)

log = structlog.get_logger()


class Consumer:
    """Runs a subscription against a database until it is stopped.

    It retries while broker or database are unreachable, and reopens a member that the broker refuses. It raises, and
    so stops the process, if going on would lose or falsify something: CannotApplyError, TopicChangedError,
    CeilingError, PartitionReadError.
    """

    name = "consumer"

    def __init__(self, subscription: Subscription, database: Database, telemetry: Telemetry) -> None:
        self._subscription = subscription
        self._lost_races = telemetry.metrics.counter(LOST_RACES)
        self._paused = telemetry.metrics.gauge(PAUSED).labels(subscription.group)
        self._sizes = telemetry.metrics.histogram(BATCH_SIZE).labels(subscription.group)
        self._health = telemetry.health
        self._offsets = OffsetTracker(database, subscription.broker, subscription.partitions)
        metrics = ConsumerMetrics(subscription, telemetry)
        self._processor = BatchProcessor(subscription, database, self._offsets, metrics, telemetry)
        self._retries = Retries(subscription.held, subscription, database, metrics) if subscription.held else None
        self._backoff = Backoff(*BACKOFF_S)
        self._pace = Pace(subscription.gather_s)
        self._hint_at = 0.0
        self._is_paused = False
        self._reported = ""
        self._refusal = ""
        self._paused.set(1)
        self._report("no partitions assigned yet")

    @property
    def replaying(self) -> bool:
        """True until each partition read from its beginning has reached the end that it had at assignment."""
        return self._offsets.replaying

    @property
    def refusal(self) -> str:
        """Why the broker has refused the last member, with what to change; empty if it has not."""
        return self._refusal

    def has_read(self, ends: Mapping[TopicPartition, int]) -> bool:
        """Return True if everything below these ends is applied."""
        return self._offsets.have_read(ends)

    def run(self, stop: threading.Event) -> None:
        """Consume until `stop` is set; the current batch is committed first."""
        while not stop.is_set():
            member = self._join()
            self._is_paused = False
            if self._retries:
                self._retries.reset()
            try:
                while not stop.is_set():
                    self._health.beat(self.name)
                    self.process_batch(member)
                self._hint(member)
            except DEPENDENCY_ERRORS as error:
                # Raised during the assignment, or a refusal: only a new member gets an assignment.
                self._back_off(error, stop.wait)
            finally:
                member.close()

    def _join(self) -> GroupMember:
        subscription = self._subscription
        return subscription.join_group(subscription.group, subscription.topics, self._offsets.start_offsets)

    def process_batch(self, member: GroupMember) -> None:
        """Poll one batch, apply and commit it; while paused, try to resume instead."""
        if self._is_paused:
            self._try_to_resume(member)
            return
        self._pace.wait()
        records, ends = member.poll(self._subscription.batch, POLL_S), member.take_ends()
        if 0 < len(records) < self._subscription.batch:
            self._pace.count()
        self._offsets.keep_replays(member.assigned)
        try:
            if self._retries:
                self._retries.run(member.assigned, idle=not records)
            if records:
                self._processor.process(records)
        except OffsetConflictError as error:
            log.warning("another consumer was faster", group=self._subscription.group, reason=str(error))
            self._lost_races.inc()
            member.seek(self._offsets.reload(member.assigned))
        except DEPENDENCY_ERRORS as error:
            # Paused, still polling to keep the membership; nothing is dead-lettered because a dependency is down.
            member.pause()
            self._is_paused = True
            self._back_off(error, lambda seconds: member.poll(1, seconds))
        else:
            self._check_joined(member)
            if records:
                self._sizes.observe(len(records))
            self._offsets.reached(ends)
            if not records or time.monotonic() >= self._hint_at:
                self._hint(member)

    def _hint(self, member: GroupMember) -> None:
        self._hint_at = time.monotonic() + HINT_S
        if hints := self._offsets.hints(member.assigned):
            member.commit(hints)

    def _try_to_resume(self, member: GroupMember) -> None:
        try:
            member.seek(self._offsets.reload(member.assigned))
        except UNAVAILABLE as error:
            self._back_off(error, lambda seconds: member.poll(1, seconds))
        else:
            member.resume()
            self._is_paused = False

    def _check_joined(self, member: GroupMember) -> None:
        try:
            if not member.has_joined():
                return
        except ConnectionError as error:
            if str(error) != self._reported:
                log.warning("no partitions yet", group=self._subscription.group, error=str(error))
            self._report(str(error))
            return
        self._backoff.reset()
        self._paused.set(0)
        self._reported = ""
        self._health.has(self.name)

    def _report(self, reason: str, *, needed: bool = True) -> None:
        self._reported = reason
        self._health.lacks(self.name, reason, needed=needed and self._subscription.needed)

    def _back_off(self, error: Exception, wait: Callable[[float], object]) -> None:
        seconds = self._backoff.next()
        self._refusal = str(error) if isinstance(error, BrokerRefusedError) else ""
        self._paused.set(1)
        # An outage ends no readiness, a refusal does: an operator must act.
        self._report(str(error), needed=bool(self._refusal))
        log.warning(
            "cannot consume now, trying again", group=self._subscription.group, error=str(error), seconds=seconds
        )
        wait(seconds)
