"""What a person sees of a verification: how far it is, and what it found. Checks nothing."""

from collections.abc import Iterable, Iterator, Sequence

from rich.console import Console
from rich.progress import track
from rich.table import Table

from services.audit.domain import Chain, Entry

EVERY = 100_000  # entries between two lines where nobody watches
PLAIN_WIDTH = 132  # a head of 64 digits stays on its line


def console() -> Console:
    """Return standard output, wide enough where it is no terminal."""
    plain = Console()
    return plain if plain.is_terminal else Console(width=PLAIN_WIDTH)


def followed(entries: Iterable[Entry], size: int, output: Console) -> Iterator[Entry]:
    """Yield entries, and show how many have gone by: a bar on a terminal, a line now and then elsewhere."""
    if output.is_terminal:
        yield from track(entries, "verifying", total=size, console=output)
        return
    for number, entry in enumerate(entries, 1):
        yield entry
        if number % EVERY == 0:
            output.print(f"verified {number:,} of {size:,} entries")


def summary(chains: Sequence[Chain], origin: str) -> Table:
    """Return a table of chains with their lengths and heads."""
    table = Table("topic", "partition", "entries", "head", title=f"log {origin}")
    for column in table.columns[1:3]:
        column.justify = "right"
    table.columns[3].overflow = "fold"
    for chain in sorted(chains, key=lambda one: (one.topic, one.topic_id, one.partition)):
        table.add_row(chain.topic, str(chain.partition), f"{chain.length:,}", chain.head.hex())
    return table
