"""Backoff: the delays between the attempts of a retry loop.

No library: stamina and backoff sleep with `time.sleep`, which no stop event ends; tenacity runs the loop itself, but
these loops wait by polling Kafka, report heartbeats, and count failures over calls of different functions.
"""


class Backoff:
    """Delays in seconds: one after each failure in a row, the last one from then on."""

    def __init__(self, *delays_s: float) -> None:
        self._delays_s = delays_s
        self.failures = 0

    def next(self) -> float:
        """Count a failure and return the delay before the next attempt."""
        delay_s = self._delays_s[min(self.failures, len(self._delays_s) - 1)]
        self.failures += 1
        return delay_s

    def reset(self) -> None:
        """Start again from the first delay, after a success."""
        self.failures = 0
