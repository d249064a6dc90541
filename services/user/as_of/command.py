"""Builds the users of a moment in an empty database, with a progress bar, and reports rows, rate and checksum."""

import time
from collections.abc import Iterable, Iterator, Sequence

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from services.chassis.consumer.decoding import Decoder
from services.chassis.database.database import Database
from services.chassis.messages.record import Record
from services.contracts.envelope import Envelope, to_text
from services.user.as_of import builder, canonical
from services.user.as_of.merge import MergedLog
from services.user.as_of.target import Target
from services.user.rebuild import FACTS

BAR = (TextColumn("replaying"), BarColumn(), MofNCompleteColumn(), TextColumn("events, left"), TimeRemainingColumn())


class Inputs(msgspec.Struct, frozen=True):
    """The batches of each partition, the number of their records, the moment, and the database."""

    partitions: Sequence[Iterable[Sequence[Record]]]
    records: int
    target: Target
    into: Database


def run(inputs: Inputs, report: Console, progress: Console) -> None:
    """Build and report. Raises LogError, TargetError, ConnectionError, SQLAlchemyError: the database is empty again."""
    log, started = MergedLog(inputs.partitions, Decoder(FACTS)), time.perf_counter()
    with builder.tables(inputs.into):
        last = _shown(builder.build(inputs.into, inputs.target.until(iter(log))), inputs, progress)
        inputs.target.require(last.sequence if last else 0)
    took = time.perf_counter() - started
    if last:
        report.print(f"as of sequence {last.sequence:,}, {to_text(last.time)}", highlight=False)
        report.print(f"{last.sequence:,} events in {took:.1f} s: {last.sequence / took:,.0f} a second", highlight=False)
    if log.skipped:
        report.print(f"{log.skipped:,} records are no events, the first is {log.first_skipped}", highlight=False)
    with inputs.into.read() as connection:
        _report(canonical.summary(connection), report)


def _shown(committed: Iterator[Envelope], inputs: Inputs, console: Console) -> Envelope | None:
    """Show the progress of committed batches; return the last event."""
    last, total = None, min(inputs.records, inputs.target.sequence or inputs.records)
    with Progress(*BAR, console=console, transient=True) as progress:
        bar = progress.add_task("", total=total)
        for last in committed:  # the last one is returned
            progress.update(bar, completed=last.sequence)
    return last


def _report(summary: canonical.Summary, report: Console) -> None:
    for name, number in summary.rows.items():
        report.print(f"{name:<13} {number:>11,} rows", highlight=False)
    report.print(f"sha256 {summary.sha256}", highlight=False, soft_wrap=True)
