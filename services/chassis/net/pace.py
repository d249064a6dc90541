"""Pace: spaces rounds of work while they come steadily, so that each finds more to do.

A round costs much and a record in it little: a transaction, a commit, a log line. Source: the generic cell rate
algorithm of ITU-T I.371, a bucket of tokens without a timer.
"""

import time
from collections.abc import Callable

BURST = 8  # rounds that need not wait: what one command leads to on an idle system


class Pace:
    """At most one round per interval, after a burst of rounds that do not wait. Not thread-safe."""

    def __init__(
        self,
        interval_s: float,
        burst: int = BURST,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._interval_s = interval_s
        self._credit_s = (burst - 1) * interval_s
        self._now = now
        self._sleep = sleep
        self._due = 0.0  # when the next round would be due without a burst

    def wait(self) -> None:
        """Wait until the next round may begin: at most one interval."""
        wait_s = self._due - self._credit_s - self._now()
        if wait_s > 0:
            self._sleep(wait_s)

    def count(self) -> None:
        """Count a round that found something to do."""
        self._due = max(self._due, self._now()) + self._interval_s
