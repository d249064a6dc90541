"""`make load`, which measures from outside, agrees with the histograms within one bucket.

The load counts from the moment at which a request was meant to be sent, so at a rate at which nothing queues.
"""

import asyncio
import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping

import pytest
from rich.console import Console

from services.chassis.telemetry.metrics import Declared
from services.chassis.telemetry.metrics.consuming import END_TO_END
from services.chassis.telemetry.metrics.serving import HTTP_DURATION
from services.workbench.demo.display import Display
from services.workbench.load.outcome import Outcome
from services.workbench.load.run import Pace, Population, populated
from services.workbench.local.measured_system import Running
from services.workbench.settings import WorkbenchSettings

pytestmark = pytest.mark.long

QUIET = Pace(rate=20, seconds=15)
ROUNDS = 3  # what else runs here makes the load's own figures worse: one quiet round is enough
Buckets = Counter[float]  # how many were at most so long, by the bound


def buckets(system: Running, job: str, declared: Declared, **labels: str) -> Buckets:
    """Return a histogram's cumulated buckets, summed over all labels but the given ones."""
    found: Buckets = Counter()
    for sample in system.samples(job):
        if sample.name == f"{declared.name}_bucket" and labels.items() <= sample.labels.items():
            found[float(sample.labels["le"])] += int(sample.value)
    return found


def grown(before: Buckets, after: Buckets) -> Buckets:
    """Return what has been added. Not `-`, which leaves out what has not changed."""
    return Counter({bound: after[bound] - before[bound] for bound in after})


def place(added: Mapping[float, int], rank: int) -> int:
    """Return in which bucket a percentile lies."""
    bounds = sorted(added)
    return bisect_left([added[bound] for bound in bounds], math.ceil(added[math.inf] * rank / 100))


def apart(declared: Declared, added: Mapping[float, int], measured: Mapping[int, float]) -> list[str]:
    """Return the percentiles that lie more than one bucket from where the load saw them, as text."""
    places = {rank: (place(added, rank), bisect_left(declared.buckets, measured[rank])) for rank in (50, 99)}
    return [
        f"p{rank} of {declared.name}: bucket {own}, the load's {measured[rank]:.4f} s is in bucket {its}"
        for rank, (own, its) in places.items()
        if abs(own - its) > 1
    ]


@pytest.mark.on_demand  # two minutes
def test_the_load_and_the_histograms_agree(system: Running) -> None:
    differences: list[str] = []
    for number in range(ROUNDS):
        differences = asyncio.run(disagreements(system, seed=number + 10))
        if not differences:
            return
    pytest.fail("\n".join(differences))


async def disagreements(system: Running, seed: int) -> list[str]:
    target = system.target()
    settings = WorkbenchSettings(kafka_bootstrap_servers=target.kafka.kafka_bootstrap_servers)
    with Display(Console(quiet=True)) as display:
        async with populated(target, settings, Population(20, f"agree{seed}", seed), display) as play:
            before = both(system)
            outcome: Outcome = await play.at(QUIET)
            requests, notices = (grown(*pair) for pair in zip(before, both(system), strict=True))
    assert requests[math.inf] == outcome.requests
    return apart(HTTP_DURATION, requests, outcome.answers["all"]) + apart(END_TO_END, notices, outcome.intents)


def both(system: Running) -> tuple[Buckets, Buckets]:
    requests = buckets(system, "user", HTTP_DURATION)
    return requests, buckets(system, "notification", END_TO_END, type="user.notice")


@pytest.mark.parametrize(("rank", "bucket"), [(50, 1), (90, 1), (99, 2)])
def test_a_percentile_is_in_the_first_bucket_that_holds_enough(rank: int, bucket: int) -> None:
    assert place({0.1: 40, 0.2: 90, math.inf: 100}, rank) == bucket


def test_what_lies_two_buckets_off_is_reported() -> None:
    added = dict.fromkeys((*HTTP_DURATION.buckets, math.inf), 100)  # all within the first
    assert apart(HTTP_DURATION, added, {50: 0.002, 99: 0.002}) == []
    assert len(apart(HTTP_DURATION, added, {50: 0.002, 99: 0.004})) == 1
