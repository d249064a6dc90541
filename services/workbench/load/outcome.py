"""Figures of a load's outcome. Seconds and bytes everywhere."""

from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec

from services.workbench.demo.counting import Line, percentiles
from services.workbench.demo.report import explain
from services.workbench.load.generator import Measured

RANKS = (50, 90, 99, 100)
LEAST_KEPT = 0.98
LONGEST_P99 = 0.25


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """One load. `offered` and `achieved` are requests a second; an error is an answer that is not achieved.

    `answers`, `intents` and `mails` are percentiles by rank (100 is the longest) from the intended start. `commands`
    are the accepted writes; reads ride along in `cpu_per_command`. `settling` is the time from the last answer
    until all effects had arrived and were read and counted.
    """

    offered: float
    achieved: float
    requests: int
    commands: int
    answers: Mapping[str, Mapping[int, float]]
    intents: Mapping[int, float]
    errors: Mapping[str, int]
    settling: float
    cpu_per_command: Mapping[str, float]
    resident: Mapping[str, int]
    lines: Sequence[Line]
    problems: Sequence[str]
    mails: Mapping[int, float] = {}

    @property
    def is_kept(self) -> bool:
        """Return whether the system kept up with what was offered."""
        p99 = self.answers["all"].get(99, 0.0)
        return self.achieved >= LEAST_KEPT * self.offered and p99 < LONGEST_P99

    def wrong(self) -> list[str]:
        """Return everything that is wrong, a line each; empty is success."""
        return [explain(line) for line in self.lines if not line.is_right] + list(self.problems)


def offered(measured: Measured) -> float:
    """Return the requests a second that were sent."""
    return len(measured.samples) / measured.seconds


def achieved(measured: Measured) -> float:
    """Return the requests a second that were answered in time: at most LONGEST_P99 after the last was to be sent."""
    end = measured.seconds + LONGEST_P99
    return (
        sum(sample.error is None and sample.at + sample.seconds <= end for sample in measured.samples)
        / measured.seconds
    )


def answers(measured: Measured) -> dict[str, Mapping[int, float]]:
    """Return percentiles of all requests, of the reads and of the writes; an error counts with the time it took."""
    groups = {
        "all": [sample.seconds for sample in measured.samples],
        "reads": [sample.seconds for sample in measured.samples if sample.kind == "read"],
        "writes": [sample.seconds for sample in measured.samples if sample.kind != "read"],
    }
    return {name: percentiles(seconds, RANKS) for name, seconds in groups.items()}


def errors(measured: Measured) -> dict[str, int]:
    """Return how many requests failed at first, by kind: a status, or the name of what the client met."""
    return dict(Counter(sample.error for sample in measured.samples if sample.error is not None))
