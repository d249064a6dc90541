"""Progress display of the demo: bars on a terminal, plain lines elsewhere."""

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

LINE_EVERY_SECONDS = 2.0
SHORTEST_SECONDS = 0.1  # below it a rate is not significant


class Display:
    """Progress by name. Without a terminal a line is printed now and then, for logs to stay short."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars = Progress(
            TextColumn("  {task.description:<26}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._tasks: dict[str, TaskID] = {}
        self._shown: dict[str, tuple[int, int]] = {}
        self._started: dict[str, float] = {}
        self._told: float | None = None

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _at: TracebackType | None
    ) -> None:
        self._bars.stop()

    def say(self, text: str) -> None:
        """Print a line."""
        self._console.print(text, highlight=False, soft_wrap=True)

    def update(self, counts: dict[str, tuple[int, int]]) -> None:
        """Show (done, total) of each name, and its rate from its first update to its last change. Removes others."""
        now = self._console.get_time()
        self._told = self._told or now
        for name in self._tasks.keys() - counts.keys():
            self._bars.remove_task(self._tasks.pop(name))
        for name, (done, total) in counts.items():
            started = self._started.setdefault(name, now)
            if name not in self._tasks:
                self._tasks[name] = self._bars.add_task(name, total=total, rate="")
            if self._shown.get(name) != (done, total):
                rate = f"{done / max(now - started, SHORTEST_SECONDS):,.0f}/s"
                self._bars.update(self._tasks[name], completed=done, total=total, rate=rate)
        self._shown = dict(counts)
        if self._bars.disable and now - self._told >= LINE_EVERY_SECONDS:
            self._told = now
            self.say("  " + ", ".join(f"{name} {done}/{total}" for name, (done, total) in counts.items()))
