"""Waiting for what will be so: to a deadline, and a late one says what was last seen."""

import time
from collections.abc import Callable
from typing import TypeVar

import httpx

PATIENCE_S = 90.0
PAUSE_S = 0.1
T = TypeVar("T")


def until(what: str, look: Callable[[], T], holds: Callable[[T], bool] = bool, seconds: float = PATIENCE_S) -> T:
    """Look until it holds and return what was seen. Raises TimeoutError with what was seen last.

    No answer, or an error, is something seen too: parts restart under these tests.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            seen = look()
        except httpx.HTTPError as error:
            last = f"{error!r} at {error.request.url}"
        else:
            if holds(seen):
                return seen
            last = repr(seen)
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not so within {seconds:g} s; last seen: {last[:2000]}")
        time.sleep(PAUSE_S)
