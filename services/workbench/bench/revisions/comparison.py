"""(g): the whole system before and after: maximum rate, processor time, latencies, idleness, by turns in one run."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from services.contracts.service_list import SERVICES
from services.workbench.bench.outcome import Pair, Part, Say
from services.workbench.bench.revisions.tree import Tree, exported, present
from services.workbench.bench.revisions.visit import SHARE, SLOW, Durations, Search, Visit, visit
from services.workbench.bench.setting import Sizes
from services.workbench.load.outcome import Outcome

ROUNDS = 2
STEPS = 16  # of a visit, about: a search has more steps or fewer
FIRST = 200.0  # requests a second, of the first search
MINUTE_S, MS = 60.0, 1000.0
MEDIAN, P99 = 50, 99
STEADILY, SLOWLY = f"at {SHARE:.0%} of its maximum rate", f"at {SLOW:.0f} request/s"


@contextmanager
def part(sizes: Sizes) -> Iterator[Part]:
    """Yield the part, the earlier revision exported. Raises RevisionError."""
    with exported(sizes.before) as old:
        rounds = Rounds(old, present(), Durations(10 * sizes.seconds, 2 * sizes.seconds, 10 * sizes.seconds))
        yield Part("g", "requests/s", 2 * STEPS, rounds.measure, ROUNDS)


class Rounds:
    """Rounds of two visits. The searches of a later round begin at half of what the last ones found."""

    def __init__(self, old: Tree, new: Tree, durations: Durations) -> None:
        self._old = old
        self._new = new
        self._durations = durations
        self._first = FIRST

    def measure(self, say: Say) -> list[Pair]:
        """Visit the earlier revision and the present one. Raises VisitError, and what starting raises."""
        before = visit(self._old, Search(self._first, None), self._durations, say)
        self._first = before.maximum / 2
        after = visit(self._new, Search(before.maximum, before.maximum), self._durations, say)
        return list(pairs(self._old.name, before, after))


def pairs(against: str, before: Visit, after: Visit) -> Iterator[Pair]:
    """Yield each figure of two visits, in the units that the table is divided by."""
    yield Pair("maximum sustainable rate", against, before.maximum, after.maximum)
    costs = before.steady.cpu_per_command, after.steady.cpu_per_command
    for name in SERVICES:
        its, own = (cost[name] * MS for cost in costs)
        yield Pair(f"{name}, {STEADILY}", against, its, own, "ms of CPU a command")
    yield from _latencies(against, (STEADILY, P99), before.steady, after.steady)
    yield from _latencies(against, (SLOWLY, MEDIAN), before.slow, after.slow)
    for name in SERVICES:
        its, own = (found.idle[name] * MINUTE_S * MS for found in (before, after))
        yield Pair(f"{name}, idle", against, its, own, "ms of CPU a minute")


def _latencies(against: str, which: tuple[str, int], before: Outcome, after: Outcome) -> Iterator[Pair]:
    (where, rank), earlier, present = which, _durations(before), _durations(after)
    for name in earlier:
        if rank in earlier[name] and rank in present[name]:  # a short load has none of some
            its, own = earlier[name][rank] * MS, present[name][rank] * MS
            yield Pair(f"{name}, {where}", against, its, own, f"ms, p{rank}")


def _durations(outcome: Outcome) -> Mapping[str, Mapping[int, float]]:
    return {
        "request to answer": outcome.answers["all"],
        "command to decision": outcome.intents,
        "command to mail": outcome.mails,
    }
