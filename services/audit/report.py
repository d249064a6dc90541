"""Terminal output of a verification: its progress and its result."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from rich.console import Console
from rich.progress import track
from rich.table import Table

from services.audit.domain import Chain
from services.chassis.messages.record import TopicPartition
from services.chassis.messages.terminal import print_line

T = TypeVar("T")

LINE_EVERY = 100_000  # entries between two lines of progress if the output is no terminal
LIMITS = (
    "No entry was changed alone, and the log has what its checkpoint covers. Not detected without --policy: a rewrite\n"
    "of log and checkpoints by somebody who can write the database (docs/audit.md)."
)
GAPS = (
    "from: the offset of the first entry\n"
    "gaps: offsets without a record, as compaction, retention and transactions of other writers leave them"
)
INCOMPLETE = "no entry was changed, but the audit log is incomplete: it was recorded, or restored, after those records"
PLAIN_WIDTH = 132  # room for a head of 64 digits on one line


def console() -> Console:
    """Return a console on standard output; without a terminal it has a width of 132."""
    plain = Console()
    return plain if plain.is_terminal else Console(width=PLAIN_WIDTH)


def followed(entries: Iterable[T], size: int, output: Console, done: str = "verified") -> Iterator[T]:
    """Yield entries and show progress: a bar on a terminal, a line per 100,000 entries elsewhere."""
    if output.is_terminal:
        yield from track(entries, done, total=size, console=output)
        return
    for number, entry in enumerate(entries, 1):
        yield entry
        if number % LINE_EVERY == 0:
            output.print(f"{done} {number:,} of {size:,} entries")


def verdict(chains: Sequence[Chain], origin: str, unknown: int, output: Console) -> None:
    """Print a log that was verified: its chains, what it lacks, and the verdict.

    `unknown` is the number of its earlier checkpoints that no key of the policy signed.
    """
    output.print(summary(chains, origin))
    if unknown:
        print_line(output, f"{unknown:,} earlier checkpoints have the right root, but no key of the policy signed them")
    lines = list(missing(chains, {}))
    for line in lines:
        print_line(output, line)
    print_line(output, INCOMPLETE if lines else "the audit log is whole")


def summary(chains: Sequence[Chain], origin: str) -> Table:
    """Return a table of chains with their lengths, gaps and heads."""
    table = Table(
        "topic", "partition", "entries", "from", "gaps", "head", title=f"log {origin}", caption=f"{GAPS}\n{LIMITS}"
    )
    for column in table.columns[1:5]:
        column.justify = "right"
    table.columns[5].overflow = "fold"
    for chain in sorted(chains, key=lambda chain: (chain.topic, chain.topic_id, chain.partition)):
        numbers = (chain.length, chain.first_offset, chain.gaps)
        table.add_row(chain.topic, str(chain.partition), *(f"{number:,}" for number in numbers), chain.head.hex())
    return table


def missing(chains: Iterable[Chain], begins: Mapping[TopicPartition, int]) -> Iterator[str]:
    """Yield a line for each partition without entries for all of its offsets; `begins` has first offsets on the broker.

    A gap may have been left by a transaction, and then there was no record. Nothing on the topic tells.
    """
    found = sorted(chains, key=lambda chain: (chain.topic, chain.partition, chain.topic_id))
    for chain in found:
        place = f"{chain.topic}[{chain.partition}]"
        if chain.first_offset:
            yield f"{place}: the evidence begins at offset {chain.first_offset:,}, nothing before it is recorded"
        if chain.gaps:
            among = f"between {chain.first_offset:,} and {chain.next_offset - 1:,}"
            yield f"{place}: {chain.gaps:,} offsets {among} have no entry"
    recorded = {TopicPartition(chain.topic, chain.partition) for chain in found}
    for partition, begin in sorted(begins.items(), key=lambda item: (item[0].topic, item[0].partition)):
        if begin and partition not in recorded:
            place = f"{partition.topic}[{partition.partition}]"
            yield f"{place}: no evidence, all records before offset {begin:,} have been deleted from the topic"
