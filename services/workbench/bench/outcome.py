"""Results of the bench: pairs of rates by turns, part by part; their medians, ratios and spread in one table."""

import itertools
import statistics
import sys
from collections.abc import Callable, Iterable, Sequence

import msgspec
from rich.console import Console
from rich.progress import Progress, TimeElapsedColumn
from rich.table import Table

Say = Callable[[str], None]
COLUMNS = ("bench", "case", "against", "its", "ours", "ratio", "spread")
ROUND = 100  # above it decimals are noise
WIDTH = 130  # where nobody watches, as in a log


class Pair(msgspec.Struct, frozen=True):
    """Two figures, measured one after the other: that of what we are compared with, and ours.

    They are rates in the part's unit, unless the pair names its own.
    """

    case: str
    against: str
    its: float
    own: float
    unit: str = ""


class Part(msgspec.Struct, frozen=True):
    """A part of the bench. `measure` runs one round, and announces each of its `steps`; of long ones there are few."""

    name: str
    unit: str
    steps: int
    measure: Callable[[Say], Iterable[Pair]]
    most_rounds: int = sys.maxsize


class Outcome(msgspec.Struct, frozen=True):
    """All rounds of one case. Rates are medians per second, ratios are ours to its, round by round."""

    bench: str
    case: str
    against: str
    its: float
    own: float
    ratio: float
    ratios: list[float]


def run(part: Part, rounds: int, console: Console) -> list[Outcome]:
    """Measure a part in rounds, with a progress bar. Raises what its measurements raise."""
    columns = (*Progress.get_default_columns()[:3], TimeElapsedColumn())
    pairs: list[Pair] = []
    rounds = min(rounds, part.most_rounds)
    # No thread that draws beside what is measured in this process: the bar moves with each step.
    with Progress(*columns, console=console, transient=True, auto_refresh=False) as progress:
        task = progress.add_task(part.name, total=rounds * part.steps)
        done = itertools.count()

        def say(what: str) -> None:
            completed = min(next(done), rounds * part.steps - 1)  # a search may have more steps than announced
            progress.update(task, description=f"({part.name}) {what}", completed=completed, refresh=True)
            if not console.is_terminal:
                console.print(f"({part.name}) {what}", highlight=False)

        for _ in range(rounds):
            pairs += part.measure(say)
    return _outcomes(part, pairs)


def table(outcomes: Iterable[Outcome]) -> Table:
    """Return one table of all cases."""
    shown = Table(title="Bench: medians of the rounds, by turns on one machine")
    for column in COLUMNS:
        shown.add_column(column, justify="left" if column in COLUMNS[:3] else "right")
    last = ""
    for outcome in outcomes:
        if last not in ("", outcome.bench):
            shown.add_section()
        shown.add_row("" if outcome.bench == last else outcome.bench, *_cells(outcome))
        last = outcome.bench
    return shown


def _cells(outcome: Outcome) -> Sequence[str]:
    spread = f"{min(outcome.ratios):.2f} to {max(outcome.ratios):.2f}"
    rates = (_figure(outcome.its), _figure(outcome.own))
    return (outcome.case, outcome.against, *rates, f"{outcome.ratio:.2f}", spread)


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= ROUND else f"{value:.2f}"


def _outcomes(part: Part, pairs: Iterable[Pair]) -> list[Outcome]:
    cases: dict[tuple[str, str, str], list[Pair]] = {}
    for pair in pairs:
        cases.setdefault((pair.unit or part.unit, pair.case, pair.against), []).append(pair)
    return [_outcome(f"({part.name}) {unit}", case) for (unit, _, _), case in cases.items()]


def _outcome(bench: str, pairs: Sequence[Pair]) -> Outcome:
    ratios = [pair.own / pair.its for pair in pairs]
    its, own = statistics.median(pair.its for pair in pairs), statistics.median(pair.own for pair in pairs)
    return Outcome(bench, pairs[0].case, pairs[0].against, its, own, statistics.median(ratios), ratios)
