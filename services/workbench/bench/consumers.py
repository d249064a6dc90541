"""(a): our consumers as the services put them together against a bare loop, on one log."""

from collections.abc import Iterator
from contextlib import contextmanager

from services.workbench.bench import bare, ours, workload
from services.workbench.bench.outcome import Pair, Part, Say
from services.workbench.bench.setting import Place, Sizes, place

JOINED = ("user.state.v1", "user.notices.v1")
PUBLISHED = ("user.events.v1", *JOINED)
CASES = (("notification", JOINED, bare.project), ("audit", PUBLISHED, bare.record))


@contextmanager
def part(sizes: Sizes) -> Iterator[Part]:
    """Yield the part, its log written."""
    with place(sizes) as here:
        workload.publish(here.settings, sizes.users)
        files = (str(here.folder / f"{number}.db") for number in range(2 * len(CASES) * sizes.rounds))
        yield Part("a", "records/s", 2 * len(CASES), lambda say: _round(here, files, say))


def _round(here: Place, files: Iterator[str], say: Say) -> Iterator[Pair]:
    for service, topics, write in CASES:
        expected = here.sizes.users * len(topics)
        path = next(files)
        say(f"{service}: bare loop")
        ours.prepare(service, here.bootstrap, f"sqlite:///{path}")
        its = bare.run(here.bootstrap, topics, path, write, expected)
        say(f"{service}: ours")
        mine = ours.consume(service, here.bootstrap, f"sqlite:///{next(files)}", expected)
        yield Pair(f"{service}, {expected:,} records", "bare loop", its, mine)
