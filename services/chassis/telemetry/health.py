"""Health of one process. Alive: every loop moves. Ready: nothing that the service needs for itself is missing."""

import threading
import time
from collections.abc import Callable

STALLED_AFTER_S = 60.0


class Health:
    """The state of one process, reported by its components from any thread."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._missing: dict[str, str] = {"start": "not started yet"}
        self._absent: dict[str, str] = {}
        self._beats: dict[str, float] = {}

    def lacks(self, what: str, reason: str, *, needed: bool = True) -> None:
        """Report that something is missing, and why, until `has`. If it is needed, the service is not ready."""
        with self._lock:
            (self._missing if needed else self._absent)[what] = reason

    def has(self, what: str) -> None:
        """Report that something is available."""
        with self._lock:
            self._missing.pop(what, None)
            self._absent.pop(what, None)

    def beat(self, loop: str) -> None:
        """Report that a loop moves."""
        self._beats[loop] = self._monotonic()

    def ended(self, loop: str) -> None:
        """Report that a loop has ended in order."""
        self._beats.pop(loop, None)

    def missing(self) -> dict[str, str]:
        """Return what is missing, with reasons; empty when ready."""
        with self._lock:
            return dict(self._missing)

    def absent(self) -> dict[str, str]:
        """Return what is missing that the service does without, with reasons."""
        with self._lock:
            return dict(self._absent)

    def stalled(self) -> list[str]:
        """Return the loops that have not moved for a minute; empty when alive."""
        now = self._monotonic()
        return [loop for loop, beat in list(self._beats.items()) if now - beat > STALLED_AFTER_S]

    @property
    def started(self) -> bool:
        """Return True after the start."""
        return "start" not in self.missing()
