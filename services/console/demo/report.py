"""The demo's result as text for a stranger: what was counted, how fast it was, and whether it is right."""

from collections.abc import Mapping, Sequence

import msgspec
from rich import box
from rich.console import Console
from rich.table import Table

from services.console.demo.counting import Line, percentiles
from services.contracts.catalog import TOPICS

RANKS = (50, 95, 99)


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What a demo ended with. Seconds everywhere; `problems` are wrong for other reasons than a count."""

    users: int
    commands: int
    sent_again: int
    driving_seconds: float
    total_seconds: float
    lines: Sequence[Line]
    durations: Mapping[str, Sequence[float]]
    problems: Sequence[str]

    def wrong(self) -> list[str]:
        """Return everything that is wrong, a line each; empty is success."""
        return [_explain(line) for line in self.lines if not line.is_right] + list(self.problems)


def print_result(console: Console, result: Result) -> None:
    """Print the tables, and a last line that says it all."""
    console.print(_counts(result), _durations(result))
    rate = result.commands / result.driving_seconds
    console.print(
        f"{result.commands:,} commands accepted in {result.driving_seconds:.1f} s, {rate:,.0f} a second, "
        f"{result.sent_again:,} sent again; the whole demo took {result.total_seconds:.1f} s.",
        highlight=False,
        soft_wrap=True,
    )
    wrong = result.wrong()
    for problem in wrong:
        console.print(f"[bold red]WRONG[/] {problem}", highlight=False, soft_wrap=True)
    if not wrong:
        console.print("[bold green]Nothing missing, nothing repeated.[/]")


def _counts(result: Result) -> Table:
    title = f"What became of {result.commands:,} commands for {result.users:,} users"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("Where", no_wrap=True)
    table.caption = "\n".join(f"  {topic.name}: {topic.pattern.value}" for topic in TOPICS)
    table.caption_justify = "left"
    for name in ("Expected", "Arrived", "Missing", "Repeated", "Unexpected"):
        table.add_column(name, justify="right", no_wrap=True)
    kind = ""
    for line in result.lines:
        if line.kind != kind:
            kind = line.kind
            table.add_row(kind, style="bold")
        counts = (line.expected, line.arrived, line.missing, line.repeated, line.unexpected)
        table.add_row(f"  {line.place}", *(f"{count:,}" for count in counts), style="" if line.is_right else "red")
    return table


def _durations(result: Result) -> Table:
    table = Table(title="How long it took, in ms", title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("From a command's start to")
    for rank in RANKS:
        table.add_column(f"p{rank}", justify="right")
    for name, seconds in result.durations.items():
        found = percentiles(seconds, RANKS)
        table.add_row(name, *(f"{found[rank] * 1000:,.1f}" if rank in found else "-" for rank in RANKS))
    return table


def _explain(line: Line) -> str:
    counts = {"missing": line.missing, "repeated": line.repeated, "unexpected": line.unexpected}
    found = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)
    return f"{line.kind}, {line.place}: {found}"
