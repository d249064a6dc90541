"""Bell: a signal that wakes one of the threads that wait for it, where an event would wake all."""

import threading


class Bell:
    """Remembers one ring while nobody waits. Thread-safe."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._rung = False

    def set(self) -> None:
        """Ring: wake one waiting thread, or the next that would wait."""
        with self._changed:
            self._rung = True
            self._changed.notify()

    def wait(self, seconds: float) -> None:
        """Wait for a ring, at most so many seconds."""
        with self._changed:
            self._changed.wait_for(lambda: self._rung, seconds)
            self._rung = False
