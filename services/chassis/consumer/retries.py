"""Retries of held records by the consumer that owns their partitions, through the handler of live records.

The rules of the handler therefore decide: an older state does not overwrite a newer one, and a repeat is recognised.
"""

import logging
import time
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

import structlog

from services.chassis.consumer.batch_processor import BATCH_ERRORS, why_parked
from services.chassis.consumer.held.reasons import Refusal, State, Why
from services.chassis.consumer.held.record import Held, Place
from services.chassis.consumer.metrics import ConsumerMetrics
from services.chassis.consumer.subscription import Outcome, Subscription
from services.chassis.database.database import Database
from services.chassis.messages.record import TopicPartition

if TYPE_CHECKING:  # its import declares a table, which a service that holds no records does not have
    from services.chassis.consumer.held.held_records import HeldRecords

LOOK_S = 0.5  # between two looks for requests while records arrive

log = structlog.get_logger()


class Retries:
    """Retries of one subscription: of parked records at each assignment, of all others on request."""

    def __init__(
        self, held: "HeldRecords", subscription: Subscription, database: Database, metrics: ConsumerMetrics
    ) -> None:
        self._held = held
        self._subscription = subscription
        self._database = database
        self._metrics = metrics
        self._seen: frozenset[TopicPartition] = frozenset()
        self._look_at = 0.0

    def reset(self) -> None:
        """Forget the partitions whose parked records were retried: the next assignment is the first."""
        self._seen = frozenset()

    def run(self, assigned: frozenset[TopicPartition], *, idle: bool) -> None:
        """Retry the next requested records, if it is time to look for them. Raises BATCH_ERRORS."""
        if added := assigned - self._seen:
            self._request_parked(added)
        self._seen = assigned
        if assigned and (added or idle or time.monotonic() >= self._look_at):
            found = self._requested(assigned)
            if found:
                self._try(found)
            self._look_at = 0.0 if found else time.monotonic() + LOOK_S

    def _request_parked(self, added: Collection[TopicPartition]) -> None:
        with self._database.read() as connection:
            has_parked = self._held.has_parked(connection)
        if has_parked:
            with self._database.write() as connection:
                self._held.request_parked(connection, added)

    def _requested(self, assigned: Collection[TopicPartition]) -> list[Held]:
        with self._database.read() as connection:
            return self._held.requested(connection, assigned)

    def _try(self, rows: Sequence[Held]) -> bool:
        """Apply records in one transaction; if that fails one by one, and none of a key behind one that fails."""
        try:
            self._apply(rows)
        except BATCH_ERRORS:
            raise
        except Exception as error:  # noqa: BLE001  # any exception: the record that causes it is found one by one
            if len(rows) == 1:
                self._failed(rows[0], error)
                return False
            blocked: set[Place] = set()
            for one in rows:
                if one.place not in blocked and not self._try([one]):
                    blocked.add(one.place)
        return True

    def _apply(self, rows: Sequence[Held]) -> None:
        with self._database.write() as connection:
            mine = [one for one in rows if self._held.applied(connection, one)]
            outcome = self._subscription.handle(connection, [one.record for one in mine]) if mine else Outcome()
            refusals = {refusal.record.place: refusal for refusal in outcome.refused}
            for one in mine:
                if refusal := refusals.get(one.record.place):
                    self._held.refused_again(connection, one, refusal)
        self._report(mine, refusals)
        # Their latency is that of an operator: it must not be taken for that of the system.
        self._metrics.outcome(outcome, is_replay=lambda _: True)
        for signal in self._subscription.commit_signals:
            signal.set()

    def _report(self, rows: Sequence[Held], refusals: Mapping[str, Refusal]) -> None:
        for one in rows:
            if (refusal := refusals.get(one.record.place)) is None:
                self._log(one, "no longer held", logging.INFO, state=one.state)
                continue
            self._log(one, "retry refused", logging.WARNING, reason=refusal.reason, detail=refusal.detail)
            if one.state is State.PARKED:
                self._metrics.refused([refusal])
                self._held.refused.set()

    def _failed(self, one: Held, error: Exception) -> None:
        why = Why(why_parked(error), f"{type(error).__name__}: {error}")
        with self._database.write() as connection:
            self._held.failed_again(connection, one, why)
        self._log(one, f"still {one.state}", logging.WARNING, reason=why.detail)

    def _log(self, one: Held, event: str, level: int, **more: object) -> None:
        log.log(level, event, group=self._subscription.group, **one.record.named, **more)
