"""Applying a batch: its effects, its dead letters and its position in one SQL transaction.

A batch that fails as a whole is run again record by record, so that only the key that fails is parked.
"""

import logging
import time
from collections.abc import Collection, Sequence

import structlog
from sqlalchemy import Connection

from services.chassis.consumer import batch_log_line, parking
from services.chassis.consumer.dead_letters import CeilingError, Refusal
from services.chassis.consumer.metrics import ConsumerMetrics
from services.chassis.consumer.offset_store import LostRaceError
from services.chassis.consumer.parking import Parked
from services.chassis.consumer.positions import Positions, TopicChangedError
from services.chassis.consumer.subscription import Outcome, Subscription
from services.chassis.database.database import UNAVAILABLE, Database
from services.chassis.messages.record import Record, TopicPartition
from services.chassis.telemetry.metrics.consuming import CEILING, PARKED_KEYS
from services.chassis.telemetry.spans import processing
from services.chassis.telemetry.telemetry import Telemetry

AWAY = (*UNAVAILABLE, ConnectionError)  # a shared dependency, no fault of the record
OF_THE_WHOLE = (*AWAY, LostRaceError, TopicChangedError, CeilingError)

log = structlog.get_logger()


class CannotApplyError(Exception):
    """A record cannot be applied by this code; the message says which and why."""


class BatchProcessor:
    """Applies batches of one subscription. Raises what is not one record's fault, and CannotApplyError."""

    def __init__(
        self, subscription: Subscription, database: Database, positions: Positions, telemetry: Telemetry
    ) -> None:
        self._subscription = subscription
        self._database = database
        self._positions = positions
        self._clock = telemetry.clock
        self._tracing = telemetry.tracing
        self._tally = ConsumerMetrics(subscription, telemetry)
        if self._parks:
            telemetry.metrics.on_scrape_together((PARKED_KEYS, CEILING), self._put_aside_so_far)

    @property
    def _parks(self) -> bool:
        return self._subscription.parked_keys_ceiling > 0

    def take(self, records: Sequence[Record]) -> None:
        """Apply a batch and move the positions behind it; park what cannot be applied."""
        try:
            with processing(self._tracing, self._subscription.group, records) as traced:
                self._apply(traced)
        except OF_THE_WHOLE:
            raise
        except Exception as error:  # noqa: BLE001  # whatever it is, the record behind it must be found
            if len(records) == 1:
                self._park(records[0], error)
                return
            for record in records:
                self.take([record])

    def try_parked_again(self, partitions: Collection[TopicPartition], *, asked: bool) -> None:
        """Apply what is parked in partitions, each key in order as far as it goes; or only what was asked for."""
        if not self._parks or not partitions:
            return
        with self._database.read() as connection:
            queues = parking.queues(connection, partitions, asked=asked)
        for queue in queues:
            self._drain(queue)

    def _apply(self, records: Sequence[Record]) -> None:
        started = time.perf_counter()
        outcome = self._commit(records)
        seconds = time.perf_counter() - started
        self._tally.took(seconds)
        self._tally.outcome(outcome, self._positions.is_replay)
        self._tally.consumed(records)
        log.info("batch", **batch_log_line.of(self._subscription.group, records, outcome, seconds))

    def _commit(self, records: Sequence[Record]) -> Outcome:
        targets = self._positions.after(records)
        with self._database.write() as connection:
            taken = self._hold_back(connection, records)
            outcome = self._handle(connection, taken)
            self._positions.move(connection, targets)
        outcome.parked = len(records) - len(taken)
        self._positions.moved(targets)
        self._wake()
        return outcome

    def _hold_back(self, connection: Connection, records: Sequence[Record]) -> Sequence[Record]:
        blocked = parking.blocked(connection, records) if self._parks else set()
        if not blocked:
            return records
        behind = [record for record in records if (record.topic, parking.key_of(record)) in blocked]
        parking.put(connection, behind, "behind an earlier one of its key", self._clock())
        return [record for record in records if record not in behind]

    def _handle(self, connection: Connection, records: Sequence[Record]) -> Outcome:
        outcome = self._subscription.handle(connection, records) if records else Outcome()
        if outcome.refused:
            self._put_aside(outcome.refused)
        return outcome

    def _put_aside(self, refused: Sequence[Refusal]) -> None:
        if self._subscription.dead_letters is None:
            raise CannotApplyError(f"{refused[0].record.place}: {refused[0].detail}, and there is no dead-letter topic")
        self._subscription.dead_letters.put(refused, self._positions.topic_ids)
        for refusal in refused:
            self._say_of(refusal.record, logging.ERROR, "dead letter", reason=refusal.reason, detail=refusal.detail)

    def _park(self, record: Record, error: Exception) -> None:
        reason = f"{type(error).__name__}: {error}"
        if not self._parks:
            raise CannotApplyError(f"{record.place}: {reason}") from error
        targets = self._positions.after([record])
        with self._database.write() as connection:
            self._refuse_flood(connection, record, reason)
            parking.put(connection, [record], reason, self._clock())
            self._positions.move(connection, targets)
        self._positions.moved(targets)
        self._tally.consumed([record])
        self._say_of(record, logging.ERROR, "parked", reason=reason)

    def _refuse_flood(self, connection: Connection, record: Record, reason: str) -> None:
        ceiling = self._subscription.parked_keys_ceiling
        if parking.count_keys(connection) >= ceiling:
            raise CannotApplyError(
                f"{record.place}: {reason}; {ceiling} keys are parked already (APP_CONSUMER_PARKED_CEILING), "
                "so it is not a matter of single keys: a newer version, or a correction, is needed"
            )

    def _drain(self, queue: Sequence[Parked]) -> None:
        for one in queue:
            try:
                outcome = self._apply_parked(one.record)
            except OF_THE_WHOLE:
                raise
            except Exception as error:  # noqa: BLE001  # it stays parked, and says why
                with self._database.write() as connection:
                    parking.failed_again(connection, one.record, f"{type(error).__name__}: {error}")
                self._say_of(one.record, logging.WARNING, "still parked", waiting=len(queue), reason=str(error))
                return
            self._tally.outcome(outcome, self._positions.is_replay)
            self._say_of(one.record, logging.INFO, "no longer parked")

    def _apply_parked(self, record: Record) -> Outcome:
        with self._database.write() as connection:
            outcome = self._handle(connection, [record])
            parking.remove(connection, record)
        self._wake()
        return outcome

    def _say_of(self, record: Record, level: int, what: str, **more: object) -> None:
        log.log(level, what, group=self._subscription.group, **record.named, **more)

    def _wake(self) -> None:
        for wake in self._subscription.wakes:
            wake.set()

    def _put_aside_so_far(self) -> tuple[float, dict[str, float]]:
        subscription = self._subscription
        with self._database.read() as connection:
            keys = parking.count_keys(connection)
        used = {"parked_keys": keys / subscription.parked_keys_ceiling}
        if subscription.dead_letters:
            used["dead_letters"] = subscription.dead_letters.used
        return keys, used
