"""Reads the gauges of a scrape within a time: a scrape never waits for a database that does not answer."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar, cast

READ_WITHIN_S = 2.0  # below Prometheus's time-out of 10 s, and spent once per scrape
LATE_S = 0.1  # while another reading is late

T = TypeVar("T")


class BoundedReads:
    """Calls functions in threads of their own. A call that is late goes on; until it ends, no second one starts.

    `cpu_s` is the processor time of all calls that have ended.
    """

    def __init__(self) -> None:
        self.cpu_s = 0.0
        self._late: dict[object, Future[Any]] = {}

    def __call__(self, read: Callable[[], T]) -> T:
        """Return what a function returns, or raise what it raises. Raises TimeoutError if it is late."""
        others_late = any(not reading.done() for reading in list(self._late.values()))
        reading = self._late.pop(read, None)
        if reading is None or reading.done():
            reading = self._start(read)
        try:
            return cast("T", reading.result(LATE_S if others_late else READ_WITHIN_S))
        except TimeoutError:
            self._late[read] = reading
            raise TimeoutError("not read in time") from None

    def _start(self, read: Callable[[], T]) -> "Future[T]":
        reading: Future[T] = Future()
        threading.Thread(target=self._run, args=(read, reading), name="scrape", daemon=True).start()
        return reading

    def _run(self, read: Callable[[], T], reading: "Future[T]") -> None:
        started = time.thread_time()
        try:
            result = read()
        except Exception as error:  # noqa: BLE001  # any exception is the scrape's
            reading.set_exception(error)
        else:
            reading.set_result(result)
        self.cpu_s += time.thread_time() - started
