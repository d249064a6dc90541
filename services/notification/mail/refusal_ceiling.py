"""Ceiling of refusals: a mail server that refuses every mail has a fault of its own, and no address is to blame."""

import threading
import time
from collections import deque
from collections.abc import Callable

import msgspec
import structlog

from services.chassis.telemetry.telemetry import Telemetry
from services.notification.domain import DeliveryResult, DeliveryStatus
from services.notification.metrics import REFUSALS

WINDOW_S = 60.0
OUTCOMES = {DeliveryStatus.BOUNCED: "bounced", DeliveryStatus.REFUSED: "refused", DeliveryStatus.DEFERRED: "deferred"}

log = structlog.get_logger()


class RefusalCeiling:
    """The refusals of one process, of all its senders. Thread-safe.

    More than `limit` bounces a minute, or refusals in a row without a mail that is taken, are deferred: such a mail is
    tried again, and given up in the end without a flag for its address.
    """

    def __init__(self, limit: int, telemetry: Telemetry, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._bounces: deque[float] = deque(maxlen=limit)
        self._in_a_row = 0
        counter = telemetry.metrics.counter(REFUSALS)
        self._counts = {status: counter.labels(outcome) for status, outcome in OUTCOMES.items()}

    def limited(self, result: DeliveryResult) -> DeliveryResult:
        """Return a result, deferred if it is a refusal above the ceiling."""
        if result.status is DeliveryStatus.SENT:
            self._in_a_row = 0
        if result.status not in {DeliveryStatus.BOUNCED, DeliveryStatus.REFUSED}:
            return result
        with self._lock:
            status = self._count(result.status)
        self._counts[status].inc()
        if status is DeliveryStatus.DEFERRED:
            log.warning("the mail server refuses too many mails, deferring this one", limit=self._limit)
        return msgspec.structs.replace(result, status=status)

    def _count(self, status: DeliveryStatus) -> DeliveryStatus:
        now, bounced = self._monotonic(), status is DeliveryStatus.BOUNCED
        in_window = len(self._bounces) == self._limit and now - self._bounces[0] < WINDOW_S
        if self._in_a_row >= self._limit or (bounced and in_window):
            return DeliveryStatus.DEFERRED
        self._in_a_row += 1
        if bounced:
            self._bounces.append(now)
        return status
