"""Processing of one batch: its effects, the records that it cannot apply and its offsets in one SQL transaction.

A batch that fails as a whole is processed again record by record, so that only the failing key is parked.
"""

import logging
import time
from collections.abc import Sequence

import structlog
from sqlalchemy import Connection

from services.chassis.consumer import batch_log_line
from services.chassis.consumer.decoding import UnknownShapeError
from services.chassis.consumer.held.reasons import CeilingError, ParkedReason, Refusal, Why
from services.chassis.consumer.metrics import ConsumerMetrics
from services.chassis.consumer.offset_store import OffsetConflictError
from services.chassis.consumer.offset_tracker import OffsetTracker, TopicChangedError
from services.chassis.consumer.spans import processing
from services.chassis.consumer.subscription import Outcome, Subscription
from services.chassis.database.database import UNAVAILABLE, Database
from services.chassis.messages.record import Record
from services.chassis.telemetry.telemetry import Telemetry

DEPENDENCY_ERRORS = (*UNAVAILABLE, ConnectionError)  # database or broker unreachable: retried, no record is at fault
BATCH_ERRORS = (*DEPENDENCY_ERRORS, OffsetConflictError, TopicChangedError, CeilingError)

log = structlog.get_logger()


class CannotApplyError(Exception):
    """This code cannot apply a record; the message names the record and the reason."""


class BatchProcessor:
    """Processes batches of one subscription. Raises BATCH_ERRORS, and CannotApplyError if it must not hold records."""

    def __init__(
        self,
        subscription: Subscription,
        database: Database,
        offsets: OffsetTracker,
        metrics: ConsumerMetrics,
        telemetry: Telemetry,
    ) -> None:
        self._subscription = subscription
        self._held = subscription.held
        self._database = database
        self._offsets = offsets
        self._tracing = telemetry.tracing
        self._metrics = metrics

    def process(self, records: Sequence[Record]) -> None:
        """Apply a batch and store the offsets behind it; hold the records that cannot be applied."""
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

    def _apply(self, records: Sequence[Record]) -> None:
        started = time.perf_counter()
        outcome = self._commit(records)
        seconds = time.perf_counter() - started
        self._metrics.took(seconds)
        self._metrics.outcome(outcome, self._offsets.is_replay)
        self._metrics.consumed(records)
        for refusal in outcome.refused:
            self._log(refusal.record, "dead letter", reason=refusal.reason, detail=refusal.detail)
        log.info("batch", **batch_log_line.fields(self._subscription.group, records, outcome, seconds))

    def _commit(self, records: Sequence[Record]) -> Outcome:
        positions, topic_ids = self._offsets.positions_after(records), self._offsets.topic_ids
        with self._database.write() as connection:
            accepted = self._held.park_behind(connection, records, topic_ids) if self._held else records
            outcome = self._subscription.handle(connection, accepted) if accepted else Outcome()
            self._refuse(connection, outcome.refused)
            self._offsets.store(connection, positions)
        outcome.parked = len(records) - len(accepted)
        self._offsets.stored(positions)
        if self._held:
            self._held.noted(len(outcome.refused))
            self._metrics.refused(outcome.refused)
        for signal in self._subscription.commit_signals:
            signal.set()
        return outcome

    def _refuse(self, connection: Connection, refused: Sequence[Refusal]) -> None:
        if not refused:
            return
        if self._held is None:
            raise CannotApplyError(f"{refused[0].record.place}: {refused[0].detail}, and no record can be held here")
        self._held.refuse(connection, refused, self._offsets.topic_ids)

    def _park(self, record: Record, error: Exception) -> None:
        reason, held = f"{type(error).__name__}: {error}", self._held
        if held is None:
            raise CannotApplyError(f"{record.place}: {reason}") from error
        positions = self._offsets.positions_after([record])
        with self._database.write() as connection:
            if held.count_keys(connection) >= held.parked_keys_ceiling:
                raise CannotApplyError(
                    f"{record.place}: {reason}; {held.parked_keys_ceiling} keys are parked already "
                    "(APP_CONSUMER_PARKED_CEILING), so the cause is not in single keys: deploy a newer version, or a "
                    "correction"
                )
            held.park(connection, record, self._offsets.topic_ids, Why(why_parked(error), reason))
            self._offsets.store(connection, positions)
        self._offsets.stored(positions)
        self._metrics.consumed([record])
        self._log(record, "parked", reason=reason)

    def _log(self, record: Record, event: str, **more: object) -> None:
        log.log(logging.ERROR, event, group=self._subscription.group, **record.named, **more)


def why_parked(error: Exception) -> ParkedReason:
    """Return the reason for which a record is parked."""
    return "newer_version" if isinstance(error, UnknownShapeError) else "handler_failed"
