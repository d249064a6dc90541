"""Periodic components: their heartbeats, which the liveness probe reads."""

import threading

from services.chassis.telemetry.health import STALLED_AFTER_S, Health
from services.chassis.telemetry.periodic import Periodic

CHECKS = 3


class Clock(threading.Event):
    """A stop whose waits take no time, and the clock that they move."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.health = Health(lambda: self.now)
        self.stalled: list[str] = []

    def wait(self, timeout: float | None = None) -> bool:
        """Move the clock, and note which loops are then taken for stalled."""
        self.now += timeout or 0.0
        self.stalled += self.health.stalled()
        return self.is_set()


class Rare(Periodic):
    """A component whose interval is longer than what counts as stalled."""

    name = "rare"

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock.health)
        self._clock = clock
        self.checked_at: list[float] = []

    def check(self) -> float:
        """Note the time, and end after some checks."""
        self.checked_at.append(self._clock.now)
        if len(self.checked_at) == CHECKS:
            self._clock.set()
        return 5 * STALLED_AFTER_S


def test_a_component_that_rests_for_minutes_is_never_taken_for_stalled_and_checks_at_its_interval() -> None:
    clock = Clock()
    rare = Rare(clock)
    rare.run(clock)
    assert clock.stalled == []
    assert rare.checked_at == [0.0, 5 * STALLED_AFTER_S, 10 * STALLED_AFTER_S]
