"""Periodic checks: components that look at something at an interval and report it."""

import threading
from abc import ABC, abstractmethod

from services.chassis.telemetry.health import Health


class Periodic(ABC):
    """A component that calls `check` until it is stopped. A subclass sets `name`, as logs and probes show it."""

    name: str

    def __init__(self, health: Health) -> None:
        self._health = health

    @abstractmethod
    def check(self) -> float:
        """Check once and return the seconds until the next check. An exception ends the process."""

    def run(self, stop: threading.Event) -> None:
        """Check until `stop` is set, with a heartbeat before each check."""
        while not stop.is_set():
            self._health.beat(self.name)
            stop.wait(self.check())
