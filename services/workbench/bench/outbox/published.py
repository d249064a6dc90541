"""(i): the outbox in the figures that comparable projects publish, beside published, on both databases.

Theirs is a Java outbox on two virtual CPUs: 600 events a second, and a backlog of 700,000 events.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from services.workbench.bench import ours
from services.workbench.bench.databases import Urls, databases
from services.workbench.bench.outbox.drain import drained
from services.workbench.bench.outbox.latency import latencies
from services.workbench.bench.outcome import Pair, Part, Say
from services.workbench.bench.setting import Sizes, place
from services.workbench.demo.counting import percentiles
from services.workbench.usage import MIB, MOST_RESIDENT

ROUNDS = 2
RATE = 600.0
THEIRS_MS = {50: 13.0, 99: 87.0}
THEIR_BACKLOG, THEIR_DRAIN_S = 700_000, 405.0
AGAINST = "Java outbox"
LATENCY, DRAIN, MEMORY = "ms to acknowledge", "s to drain", "MiB at most"
MS = 1000.0


@contextmanager
def part(sizes: Sizes) -> Iterator[Part]:
    """Yield the part, with a PostgreSQL server where there is one."""
    with databases() as urls:
        yield Part("i", LATENCY, 2 * len(urls), partial(_round, sizes, urls), ROUNDS)


def _round(sizes: Sizes, urls: Urls, say: Say) -> Iterator[Pair]:
    for database in urls:
        say(f"{database}: {RATE:,.0f} events/s")
        with place(sizes) as here:
            url = urls[database](here.folder)
            ours.prepare("user", here.bootstrap, url)
            found = percentiles(latencies(here, url, RATE, 5 * sizes.seconds), list(THEIRS_MS))
        for rank, published in THEIRS_MS.items():
            yield Pair(f"{database}, {RATE:,.0f} events/s, p{rank}", AGAINST, published, found[rank] * MS)
    for database in urls:
        say(f"{database}: backlog of {sizes.backlog:,} events")
        with tempfile.TemporaryDirectory(prefix="eventline-bench-") as name:
            end = drained(urls[database](Path(name)), Path(name), sizes.backlog)
        case = f"{database}, {sizes.backlog:,} events"
        yield Pair(case, AGAINST, their_drain_s(sizes.backlog), end.seconds, DRAIN)
        yield Pair(case, "allowed", MOST_RESIDENT / MIB, end.peak / MIB, MEMORY)


def their_drain_s(events: int) -> float:
    """Return the seconds that the Java outbox would take for a backlog, at the rate that it published."""
    return THEIR_DRAIN_S * events / THEIR_BACKLOG
