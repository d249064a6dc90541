"""Polls until a condition holds; a timeout reports what was last seen."""

import time
from collections.abc import Callable
from typing import TypeVar

PATIENCE_S = 90.0
PAUSE_S = 0.05
T = TypeVar("T")
Errors = type[Exception] | tuple[type[Exception], ...]


def until(
    what: str,
    look: Callable[[], T],
    holds: Callable[[T], bool] = bool,
    seconds: float = PATIENCE_S,
    passing: Errors = (),
) -> T:
    """Call `look` until `holds` accepts its value, and return the value.

    An error of the types in `passing` counts as a value that does not hold: the other side may be restarting.
    Raises TimeoutError with the last value or error.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            seen = look()
        except passing as error:
            last = repr(error)
        else:
            if holds(seen):
                return seen
            last = repr(seen)
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {seconds:g} s; last seen: {last[:2000]}")
        time.sleep(PAUSE_S)
