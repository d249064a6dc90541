"""A crash before and after each durable step: the process is restarted, and every check of the whole system is made.

All points on both databases take long: `pytest -m on_demand tests/faults/test_crash_points.py`.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import product, zip_longest

import pytest

from services.contracts.service_list import WITH_API
from services.workbench.local.postgres import Server
from tests.support.crash.at import MOMENTS
from tests.support.crash.points import POINTS, Reach
from tests.support.crash.site import running
from tests.support.crash.sweep import Case, Sweep

TOGETHER = {  # a point of each service, in the short form
    ("user", "CommandHandler.handle"): "after",
    ("notification", "MailQueue._settle"): "before",
    ("audit", "BatchProcessor._commit"): "before",
    ("witness", "Witness.add"): "after",
}
ALONE = {Reach.REFUSED, Reach.TAKEN, Reach.RESTORE}  # while they last, other services get nothing to do


def rounds() -> Iterator[tuple[Case, ...]]:
    """Yield every point before and after its step; a round has one of each service."""
    cases: dict[str, list[Case]] = defaultdict(list)
    for point in POINTS:
        alone = f"{point.program} {point.step} {point.reach}" if point.reach in ALONE else point.program
        cases[alone] += [(point, when) for when in MOMENTS]
    services = [cases.pop(name) for name in WITH_API if name in cases]
    for side_by_side in zip_longest(*services):
        yield tuple(filter(None, side_by_side))
    yield from ((case,) for alone in cases.values() for case in alone)


ROUNDS = [*rounds()]
IDS = ["+".join(f"{point.name}-{when}".replace(" ", "-") for point, when in one) for one in ROUNDS]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def sweep(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sweep]:
    folder = tmp_path_factory.mktemp(request.param)
    urls = {name: f"sqlite:///{folder}/{name}.db" for name in WITH_API}
    if request.param == "postgresql":
        server: Server = request.getfixturevalue("postgres_server")
        urls = {name: server.fresh_url() for name in WITH_API}
    with running(folder, urls) as site:
        yield Sweep(site)


def test_the_rounds_have_every_point_before_and_after_its_step() -> None:
    assert Counter(case for one in ROUNDS for case in one) == Counter(product(POINTS, MOMENTS))


@pytest.mark.on_demand
@pytest.mark.parametrize("cases", ROUNDS, ids=IDS)
def test_after_crashes_at_durable_steps_nothing_is_lost_or_repeated(sweep: Sweep, cases: tuple[Case, ...]) -> None:
    assert asyncio.run(sweep.crash(*cases)) == []


@pytest.mark.long
@pytest.mark.parametrize("sweep", ["sqlite"], indirect=True)
def test_after_a_crash_of_each_service_in_the_same_seconds_nothing_is_lost_or_repeated(sweep: Sweep) -> None:
    cases = [(one, TOGETHER[key]) for one in POINTS if (key := (one.program, one.step.rpartition(":")[2])) in TOGETHER]
    assert len(cases) == len(TOGETHER)
    assert asyncio.run(sweep.crash(*cases)) == []
