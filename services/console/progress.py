"""A progress bar of what a running service does on request."""

import time
from collections.abc import Callable

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn

from services.chassis.messages.terminal import progress
from services.console.failures import UnfinishedError

POLL_S = 0.2


class Request(msgspec.Struct, frozen=True):
    """A request: its verb and noun for the bar, its number, and for how many seconds nothing may move."""

    verb: str
    noun: str
    total: int
    stuck_s: float


def follow(request: Request, done: Callable[[], int], stuck: Callable[[int], str]) -> int:
    """Show the progress until all is done. Returns how much was done at the end.

    Raises UnfinishedError if nothing moves, with the message that `stuck` makes of what is done.
    """
    columns = (TextColumn(request.verb), BarColumn(), MofNCompleteColumn(), TextColumn(request.noun))
    with progress(Console(stderr=True), *columns) as bars:
        bar = bars.add_task("", total=request.total)
        seen, moved = done(), time.monotonic()
        while seen < request.total:
            bars.update(bar, completed=max(0, seen))
            time.sleep(POLL_S)
            if (now := done()) != seen:
                seen, moved = now, time.monotonic()
            elif time.monotonic() - moved > request.stuck_s:
                raise UnfinishedError(stuck(seen))
    return seen
