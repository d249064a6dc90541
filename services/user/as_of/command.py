"""Builds the users of a moment in an empty database, with a progress bar, and reports rows, rate and checksum.

With a second moment, whose users are built for a while, it reports what changed between the two.
"""

import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn

from services.chassis.consumer.decoding import Decoder
from services.chassis.database.database import Database
from services.chassis.messages.record import Record
from services.chassis.messages.terminal import print_line, progress
from services.contracts.envelope import Envelope, to_text
from services.user.as_of import builder, canonical, diff
from services.user.as_of.merge import MergedLog
from services.user.as_of.target import Target
from services.user.rebuild import FACTS

BAR = (TextColumn("replaying"), BarColumn(), MofNCompleteColumn(), TextColumn("events, left"), TimeRemainingColumn())
Batches = Generator[Sequence[Record], None, None]


class Log(msgspec.Struct, frozen=True):
    """The topic: `open` returns the batches of each partition, `records` is how many there are."""

    open: Callable[[], Sequence[Batches]]
    records: int


class Wanted(msgspec.Struct, frozen=True):
    """The moment to build, and one to compare it with; values of personal data are shown only if `personal`."""

    target: Target
    other: Target | None = None
    personal: bool = False


class Consoles(msgspec.Struct, frozen=True):
    """Standard output, and standard error for the progress."""

    report: Console
    progress: Console


def run(log: Log, wanted: Wanted, into: Database, consoles: Consoles) -> None:
    """Build and report. Raises LogError, TargetError, ConnectionError, SQLAlchemyError."""
    _print(consoles, _build(log, wanted.target, into, consoles))
    with into.read() as connection:
        found = canonical.summary(connection)
    _print(consoles, [f"{name:<13} {number:>11,} rows" for name, number in found.rows.items()])
    _print(consoles, [f"sha256 {found.sha256}"])
    if wanted.other:
        _compare(log, wanted, into, consoles)


def _build(log: Log, target: Target, into: Database, consoles: Consoles) -> list[str]:
    """Return the last event, the rate, and what was skipped, a line each; on any error the database is empty again."""
    with ExitStack() as stack, builder.tables(into):
        merged, started = MergedLog(opened(log, stack), Decoder(FACTS)), time.perf_counter()
        committed = builder.build(into, target.until(iter(merged)))
        last = shown(committed, min(log.records, target.sequence or log.records), consoles.progress)
        end = target.require(last)
    took = time.perf_counter() - started
    skipped = f"{merged.skipped:,} records are no events, the first is {merged.first_skipped}"
    return [
        f"as of sequence {end.sequence:,}, {to_text(end.time)}",
        f"{end.sequence:,} events in {took:.1f} s: {end.sequence / took:,.0f} a second",
        *([skipped] if merged.skipped else []),
    ]


def opened(log: Log, stack: ExitStack) -> list[Batches]:
    """Open the partitions of a log; the stack closes them."""
    # Closed explicitly: a Kafka client that is still open at the end of the process can hold it up.
    return [stack.enter_context(closing(batches)) for batches in log.open()]


def shown(committed: Iterator[Envelope], total: int, console: Console) -> Envelope | None:
    """Show the progress of committed batches; return the last event."""
    last = None
    with progress(console, *BAR) as bars:
        bar = bars.add_task("", total=total)
        for last in committed:  # the last one is returned
            bars.update(bar, completed=last.sequence)
    return last


def _compare(log: Log, wanted: Wanted, built: Database, consoles: Consoles) -> None:
    with TemporaryDirectory() as folder:
        scratch = Database(f"sqlite:///{Path(folder) / 'other.db'}")
        try:
            head, *_ = _build(log, wanted.other or wanted.target, scratch, consoles)
            _print(consoles, ["", f"compared with the users {head}:"])
            with built.read() as one, scratch.read() as other:
                found = 0
                for line in diff.differences(one, other, personal=wanted.personal):
                    found += 1
                    _print(consoles, [line])
            _print(consoles, ["1 user differs" if found == 1 else f"{found:,} users differ"])
        finally:
            scratch.close()


def _print(consoles: Consoles, lines: Iterable[str]) -> None:
    for line in lines:
        print_line(consoles.report, line)
