"""The demo's result as text for a stranger: what was counted, how fast it was, and whether it is right."""

from collections.abc import Mapping, Sequence

import msgspec
from rich import box
from rich.console import Console
from rich.table import Table

from services.contracts.catalog import EVENT_TOPICS
from services.workbench.demo.counting import Line, percentiles
from services.workbench.usage import Usage, in_words

RANKS = (50, 95, 99)


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of a demo. Seconds everywhere; `problems` are wrong for other reasons than a count.

    `used` is what each service used when all effects had arrived.
    """

    users: int
    commands: int
    sent_again: int
    driving_seconds: float
    total_seconds: float
    lines: Sequence[Line]
    durations: Mapping[str, Sequence[float]]
    used: Mapping[str, Usage]
    problems: Sequence[str]

    def wrong(self) -> list[str]:
        """Return everything that is wrong, a line each; empty is success."""
        return [explain(line) for line in self.lines if not line.is_right] + list(self.problems)


def print_result(console: Console, result: Result) -> None:
    """Print the tables, and a last line with the verdict."""
    title = f"Results of {result.commands:,} commands for {result.users:,} users"
    console.print(counts(title, result.lines), _durations(result.durations))
    console.print(f"Resident memory at the end: {in_words(result.used)}.", highlight=False, soft_wrap=True)
    rate = result.commands / result.driving_seconds
    console.print(
        f"{result.commands:,} commands accepted in {result.driving_seconds:.1f} s, {rate:,.0f} a second, "
        f"{result.sent_again:,} sent again; the whole demo took {result.total_seconds:.1f} s.",
        highlight=False,
        soft_wrap=True,
    )
    print_verdict(console, result.wrong())


def print_verdict(console: Console, wrong: Sequence[str]) -> None:
    """Print what is wrong, a line each, or that nothing is."""
    for problem in wrong:
        console.print(f"[bold red]WRONG[/] {problem}", highlight=False, soft_wrap=True)
    if not wrong:
        console.print("[bold green]Nothing missing, nothing repeated.[/]")


def counts(title: str, lines: Sequence[Line]) -> Table:
    """Return the table of what was expected and what arrived."""
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("Where", no_wrap=True)
    table.caption = "\n".join(f"  {topic.name}: {topic.pattern.value}" for topic in EVENT_TOPICS)
    table.caption_justify = "left"
    for name in ("Expected", "Arrived", "Missing", "Repeated", "Unexpected"):
        table.add_column(name, justify="right", no_wrap=True)
    kind = ""
    for line in lines:
        if line.kind != kind:
            kind = line.kind
            table.add_row(kind, style="bold")
        numbers = (line.expected, line.arrived, line.missing, line.repeated, line.unexpected)
        table.add_row(f"  {line.place}", *(f"{number:,}" for number in numbers), style="" if line.is_right else "red")
    return table


def _durations(measured: Mapping[str, Sequence[float]]) -> Table:
    table = Table(title="How long it took, in ms", title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("From a command's start to")
    for rank in RANKS:
        table.add_column(f"p{rank}", justify="right")
    for name, seconds in measured.items():
        found = percentiles(seconds, RANKS)
        table.add_row(name, *(f"{found[rank] * 1000:,.1f}" if rank in found else "-" for rank in RANKS))
    return table


def explain(line: Line) -> str:
    """Return what is wrong with a count."""
    numbers = {"missing": line.missing, "repeated": line.repeated, "unexpected": line.unexpected}
    found = ", ".join(f"{count:,} {name}" for name, count in numbers.items() if count)
    return f"{line.kind}, {line.place}: {found}"
