"""A crash before and after each durable step: the process is restarted, and every check of the whole system is made.

All points on both databases take long: `pytest -m on_demand tests/faults/test_crash_points.py`.
"""

import asyncio
from collections.abc import Iterator

import pytest

from services.contracts.service_list import WITH_API
from services.workbench.local.postgres import Server
from tests.support.crash.at import MOMENTS
from tests.support.crash.points import POINTS, Point
from tests.support.crash.site import running
from tests.support.crash.sweep import Sweep

TOGETHER = {  # a point of each service, in the short form
    ("user", "CommandHandler.handle"): "after",
    ("notification", "MailQueue._settle"): "before",
    ("audit", "BatchProcessor._commit"): "before",
    ("witness", "Witness.add"): "after",
}
CASES = [(point, when) for point in POINTS for when in MOMENTS]
IDS = [f"{point.name.replace(' ', '-')}-{when}" for point, when in CASES]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def sweep(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sweep]:
    folder = tmp_path_factory.mktemp(request.param)
    urls = {name: f"sqlite:///{folder}/{name}.db" for name in WITH_API}
    if request.param == "postgresql":
        server: Server = request.getfixturevalue("postgres_server")
        urls = {name: server.fresh_url() for name in WITH_API}
    with running(folder, urls) as site:
        yield Sweep(site)


@pytest.mark.on_demand
@pytest.mark.parametrize(("point", "when"), CASES, ids=IDS)
def test_after_a_crash_at_a_durable_step_nothing_is_lost_or_repeated(sweep: Sweep, point: Point, when: str) -> None:
    assert asyncio.run(sweep.crash((point, when))) == []


@pytest.mark.long
@pytest.mark.parametrize("sweep", ["sqlite"], indirect=True)
def test_after_a_crash_of_each_service_in_the_same_seconds_nothing_is_lost_or_repeated(sweep: Sweep) -> None:
    cases = [(one, TOGETHER[key]) for one in POINTS if (key := (one.program, one.step.rpartition(":")[2])) in TOGETHER]
    assert len(cases) == len(TOGETHER)
    assert asyncio.run(sweep.crash(*cases)) == []
