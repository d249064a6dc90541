"""Periodic checks: components that look at something at an interval and report it."""

import threading
from abc import ABC, abstractmethod

from services.chassis.telemetry.health import Health

BEAT_S = 10.0


class Periodic(ABC):
    """A component that calls `check` until it is stopped. A subclass sets `name`, as logs and probes show it."""

    name: str

    def __init__(self, health: Health) -> None:
        self._health = health

    @abstractmethod
    def check(self) -> float:
        """Check once and return the seconds until the next check. An exception ends the process."""

    def run(self, stop: threading.Event) -> None:
        """Check until `stop` is set, with heartbeats in between: an interval may be longer than the limit of health."""
        while not stop.is_set():
            self._health.beat(self.name)
            rest = self.check()
            while rest > 0 and not stop.wait(min(rest, BEAT_S)):
                self._health.beat(self.name)
                rest -= BEAT_S
