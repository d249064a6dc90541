"""The ceiling on refused records per minute: so many are no matter of single records, and an operator must look."""

from collections import deque
from collections.abc import Callable, Sequence

from services.chassis.consumer.held.reasons import CeilingError, Refusal

WINDOW_S = 60.0


class RefusalCeiling:
    """Counts the records that were refused in the last minute."""

    def __init__(self, ceiling: int, monotonic: Callable[[], float]) -> None:
        self._ceiling = ceiling
        self._monotonic = monotonic
        self._recent: deque[float] = deque()
        self._excess = 0  # the number that exceeded the ceiling, for the last scrape before the consumer ends

    @property
    def used(self) -> float:
        """The used share of the ceiling, above 1 once it was exceeded. Thread-safe."""
        since = self._monotonic() - WINDOW_S
        return max(self._excess, sum(moment >= since for moment in tuple(self._recent))) / self._ceiling

    def check(self, refusals: Sequence[Refusal]) -> None:
        """Raise CeilingError if these records are too many."""
        while self._recent and self._monotonic() - self._recent[0] > WINDOW_S:
            self._recent.popleft()
        number = len(self._recent) + len(refusals)
        if refusals and number > self._ceiling:
            self._excess = number
            last = refusals[-1]
            raise CeilingError(
                f"{number} records refused within {WINDOW_S:.0f} s, ceiling {self._ceiling}; the last one: "
                f"{last.record.place}: {last.reason}: {last.detail}. Check the publisher of {last.record.topic}, and "
                "`console held list`; raise APP_CONSUMER_DEAD_LETTER_CEILING only if all of them should be dead"
            )

    def count(self, number: int) -> None:
        """Count records whose refusal is committed."""
        self._recent.extend([self._monotonic()] * number)
