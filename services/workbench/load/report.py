"""A load's outcome as text for people."""

from collections.abc import Mapping

from rich import box
from rich.console import Console
from rich.table import Table

from services.workbench.demo.report import counts, print_verdict
from services.workbench.load.outcome import LEAST_KEPT, LONGEST_P99, RANKS, Outcome
from services.workbench.usage import MIB

COUNTED = (
    "Counted: a record on each of the user's topics for every command; a decision (mailed or suppressed) for every\n"
    "recipient; a mail for every decision to mail; an audit entry for every record. Whether users who change their\n"
    "preferences meanwhile are mailed is a race: for them each decision is counted, either way."
)


def print_outcome(console: Console, outcome: Outcome, max_rate: float | None) -> None:
    """Print all tables, the maximum sustainable rate where it was looked for, and a verdict as the last line."""
    console.print(counts(f"Results of {outcome.commands:,} commands and those before them", outcome.lines))
    console.print(COUNTED, highlight=False, soft_wrap=True)
    console.print(_durations(outcome))
    console.print(figures(outcome), highlight=False, soft_wrap=True)
    if max_rate is not None:
        console.print(f"[bold]Maximum sustainable rate: {max_rate:,.0f} requests a second.[/]", highlight=False)
    print_verdict(console, outcome.wrong())


def step_line(outcome: Outcome) -> str:
    """Return a step of the search for the maximum sustainable rate as one line."""
    verdict = (
        "kept" if outcome.is_kept else f"not kept (achieved/offered >= {LEAST_KEPT}, p99 < {LONGEST_P99 * 1000:g} ms)"
    )
    return f"{_rates(outcome)}, counted {outcome.settling:.1f} s later{_errors(outcome)}: {verdict}"


def figures(outcome: Outcome) -> str:
    """Return rates, processor time and memory, a line each."""
    cost = ", ".join(f"{part} {seconds * 1000:.2f} ms" for part, seconds in outcome.cpu_per_command.items())
    memory = ", ".join(f"{part} {size / MIB:,.0f} MiB" for part, size in outcome.resident.items())
    return "\n".join(
        [
            f"{_rates(outcome)}{_errors(outcome)}; all effects were counted {outcome.settling:.1f} s later.",
            f"Processor time per command (reads ride along): {cost or 'not known here'}.",
            f"Resident memory at the end: {memory or 'not known here'}.",
        ]
    )


def _rates(outcome: Outcome) -> str:
    p50, p99 = (outcome.answers["all"].get(rank, 0.0) * 1000 for rank in (50, 99))
    return (
        f"offered {outcome.offered:,.1f}/s, achieved {outcome.achieved:,.1f}/s, "
        f"{outcome.requests:,} requests, p50 {p50:,.1f} ms, p99 {p99:,.1f} ms"
    )


def _errors(outcome: Outcome) -> str:
    found = ", ".join(f"{number:,} x {kind}" for kind, number in sorted(outcome.errors.items()))
    return f", errors: {found}" if found else ", no errors"


def _durations(outcome: Outcome) -> Table:
    table = Table(title="How long it took, in ms", title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("From a request's intended start to")
    for rank in RANKS:
        table.add_column("max" if rank == max(RANKS) else f"p{rank}", justify="right")
    for name, found in outcome.answers.items():
        _row(table, f"its answer, {name}", found)
    _row(table, "its decision to mail", outcome.intents)
    _row(table, "its first mail in the sink", outcome.mails)
    return table


def _row(table: Table, name: str, found: Mapping[int, float]) -> None:
    table.add_row(name, *(f"{found[rank] * 1000:,.1f}" if rank in found else "-" for rank in RANKS))
