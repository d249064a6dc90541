"""Processing of one batch: its effects, dead letters and offsets in one SQL transaction.

A batch that fails as a whole is processed again record by record, so that only the failing key is parked.
"""

import logging
import time
from collections.abc import Callable, Collection, Sequence
from functools import partial

import structlog
from sqlalchemy import Connection

from services.chassis.consumer import batch_log_line, parking
from services.chassis.consumer.dead_letters import CeilingError, Refusal
from services.chassis.consumer.metrics import ConsumerMetrics
from services.chassis.consumer.offset_store import OffsetConflictError
from services.chassis.consumer.offset_tracker import OffsetTracker, TopicChangedError
from services.chassis.consumer.parking import Parked
from services.chassis.consumer.spans import processing
from services.chassis.consumer.subscription import Outcome, Subscription
from services.chassis.database.database import UNAVAILABLE, Database
from services.chassis.messages.record import Record, TopicPartition
from services.chassis.telemetry.metrics.consuming import CEILING, PARKED_KEYS
from services.chassis.telemetry.telemetry import Telemetry

DEPENDENCY_ERRORS = (*UNAVAILABLE, ConnectionError)  # database or broker unreachable: retried, no record is at fault
BATCH_ERRORS = (*DEPENDENCY_ERRORS, OffsetConflictError, TopicChangedError, CeilingError)

log = structlog.get_logger()


class CannotApplyError(Exception):
    """This code cannot apply a record; the message names the record and the reason."""


class _LettersFirstError(Exception):
    """Records are refused whose dead letters are not on their topic yet: the transaction is rolled back and repeated.

    No transaction is open while the letters are published: other writers, or the server, would not wait that long.
    """

    def __init__(self, refused: Sequence[Refusal]) -> None:
        super().__init__(f"{len(refused)} dead letters to publish")
        self.refused = refused


class BatchProcessor:
    """Processes batches of one subscription. Raises BATCH_ERRORS, and CannotApplyError if it must not park."""

    def __init__(
        self, subscription: Subscription, database: Database, offsets: OffsetTracker, telemetry: Telemetry
    ) -> None:
        self._subscription = subscription
        self._database = database
        self._offsets = offsets
        self._clock = telemetry.clock
        self._tracing = telemetry.tracing
        self._metrics = ConsumerMetrics(subscription, telemetry)
        if self._parks:
            telemetry.metrics.on_scrape_together((PARKED_KEYS, CEILING), self._ceilings)

    @property
    def _parks(self) -> bool:
        return self._subscription.parked_keys_ceiling > 0

    def process(self, records: Sequence[Record]) -> None:
        """Apply a batch and store the offsets behind it; park records that cannot be applied."""
        try:
            with processing(self._tracing, self._subscription.group, records) as traced:
                self._apply(traced)
        except BATCH_ERRORS:
            raise
        except Exception as error:  # noqa: BLE001  # any exception: the record that causes it is found one by one
            if len(records) == 1:
                self._park(records[0], error)
                return
            for record in records:
                self.process([record])

    def retry_parked(self, partitions: Collection[TopicPartition], *, requested_only: bool) -> None:
        """Apply the parked records of partitions, each key in order until a failure; all, or only requested keys."""
        if not self._parks or not partitions:
            return
        with self._database.read() as connection:
            queues = parking.queues(connection, partitions, requested_only=requested_only)
        for queue in queues:
            self._drain(queue)

    def _apply(self, records: Sequence[Record]) -> None:
        started = time.perf_counter()
        outcome = self._after_letters(partial(self._commit, records))
        seconds = time.perf_counter() - started
        self._metrics.took(seconds)
        self._metrics.outcome(outcome, self._offsets.is_replay)
        self._metrics.consumed(records)
        log.info("batch", **batch_log_line.fields(self._subscription.group, records, outcome, seconds))

    def _after_letters(self, transact: Callable[[Collection[str]], Outcome]) -> Outcome:
        lettered: set[str] = set()
        while True:
            try:
                return transact(lettered)
            except _LettersFirstError as first:
                self._dead_letter(first.refused)
                lettered |= {refusal.record.place for refusal in first.refused}

    def _commit(self, records: Sequence[Record], lettered: Collection[str]) -> Outcome:
        positions = self._offsets.positions_after(records)
        with self._database.write() as connection:
            accepted = self._park_behind(connection, records)
            outcome = self._handle(connection, accepted, lettered)
            self._offsets.store(connection, positions)
        outcome.parked = len(records) - len(accepted)
        self._offsets.stored(positions)
        self._signal()
        return outcome

    def _park_behind(self, connection: Connection, records: Sequence[Record]) -> Sequence[Record]:
        """Park records whose key has parked ones already; return the others."""
        blocked = parking.blocked(connection, records) if self._parks else set()
        if not blocked:
            return records
        behind = [record for record in records if (record.topic, parking.key_of(record)) in blocked]
        parking.put(connection, behind, "behind an earlier one of its key", self._clock())
        return [record for record in records if record not in behind]

    def _handle(self, connection: Connection, records: Sequence[Record], lettered: Collection[str]) -> Outcome:
        outcome = self._subscription.handle(connection, records) if records else Outcome()
        if refused := [refusal for refusal in outcome.refused if refusal.record.place not in lettered]:
            raise _LettersFirstError(refused)
        return outcome

    def _dead_letter(self, refused: Sequence[Refusal]) -> None:
        if self._subscription.dead_letters is None:
            raise CannotApplyError(f"{refused[0].record.place}: {refused[0].detail}, and there is no dead-letter topic")
        self._subscription.dead_letters.put(refused, self._offsets.topic_ids)
        for refusal in refused:
            self._log(refusal.record, logging.ERROR, "dead letter", reason=refusal.reason, detail=refusal.detail)

    def _park(self, record: Record, error: Exception) -> None:
        reason = f"{type(error).__name__}: {error}"
        if not self._parks:
            raise CannotApplyError(f"{record.place}: {reason}") from error
        positions = self._offsets.positions_after([record])
        with self._database.write() as connection:
            self._check_ceiling(connection, record, reason)
            parking.put(connection, [record], reason, self._clock())
            self._offsets.store(connection, positions)
        self._offsets.stored(positions)
        self._metrics.consumed([record])
        self._log(record, logging.ERROR, "parked", reason=reason)

    def _check_ceiling(self, connection: Connection, record: Record, reason: str) -> None:
        ceiling = self._subscription.parked_keys_ceiling
        if parking.count_keys(connection) >= ceiling:
            raise CannotApplyError(
                f"{record.place}: {reason}; {ceiling} keys are parked already (APP_CONSUMER_PARKED_CEILING), "
                "so the cause is not in single keys: deploy a newer version, or a correction"
            )

    def _drain(self, queue: Sequence[Parked]) -> None:
        for parked in queue:
            try:
                outcome = self._after_letters(partial(self._apply_parked, parked.record))
            except BATCH_ERRORS:
                raise
            except Exception as error:  # noqa: BLE001  # any exception: the record stays parked, with the new reason
                with self._database.write() as connection:
                    parking.failed_again(connection, parked.record, f"{type(error).__name__}: {error}")
                self._log(parked.record, logging.WARNING, "still parked", waiting=len(queue), reason=str(error))
                return
            self._metrics.outcome(outcome, self._offsets.is_replay)
            self._log(parked.record, logging.INFO, "no longer parked")

    def _apply_parked(self, record: Record, lettered: Collection[str]) -> Outcome:
        with self._database.write() as connection:
            outcome = self._handle(connection, [record], lettered)
            parking.remove(connection, record)
        self._signal()
        return outcome

    def _log(self, record: Record, level: int, event: str, **more: object) -> None:
        log.log(level, event, group=self._subscription.group, **record.named, **more)

    def _signal(self) -> None:
        for signal in self._subscription.commit_signals:
            signal.set()

    def _ceilings(self) -> tuple[float, dict[str, float]]:
        """Return the number of parked keys, and the used share of each ceiling."""
        subscription = self._subscription
        with self._database.read() as connection:
            keys = parking.count_keys(connection)
        used = {"parked_keys": keys / subscription.parked_keys_ceiling}
        if subscription.dead_letters:
            used["dead_letters"] = subscription.dead_letters.used
        return keys, used
