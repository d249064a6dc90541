"""The list of steps that a person watches: what is done now, what is done, how long it took."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console


class Step:
    """One line of the list. `note` is shown behind its title once it is done."""

    def __init__(self) -> None:
        self.note = ""


class Steps:
    """Prints the list; on a terminal the running step turns."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._began = time.monotonic()

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """Run the body as one step; an error marks the line and goes on to the caller."""
        step, began = Step(), time.monotonic()
        try:
            with self._console.status(title):
                yield step
        except BaseException:
            self._line("[red]✗[/]", title, "", began)
            raise
        self._line("[green]✓[/]", title, step.note, began)

    def total(self) -> float:
        """Return the seconds since the list began."""
        return time.monotonic() - self._began

    def _line(self, mark: str, title: str, note: str, began: float) -> None:
        self._console.print(
            f" {mark} {title:<34} {time.monotonic() - began:6.1f} s  [dim]{note}[/]", highlight=False, soft_wrap=True
        )
