"""One system under load for all tests here, and what the panels showed, told in a line at the end."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from k8s.dashboards.documents import BOARDS
from tests.dashboards.grafana import Span
from tests.dashboards.verdict import Verdict, looked_at, summary
from tests.dashboards.watched import Watched, deployed, local
from tests.dashboards.workload import work

HERE = Path(__file__).parent
LOAD_S = 45.0
VERDICTS = pytest.StashKey[list[Verdict]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the choice of a Prometheus."""
    parser.addoption("--prometheus", default="", help="the address of one that watches the release on kind")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is here."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker("dashboards")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say what all panels showed."""
    if verdicts := config.stash.get(VERDICTS, None):
        terminalreporter.write_line(summary(verdicts))


@pytest.fixture(scope="session")
def watched(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """A system that is watched, before any load."""
    address = str(request.config.getoption("--prometheus", ""))
    with deployed(address) if address else local(tmp_path_factory.mktemp("dashboards")) as watched:
        yield watched


@pytest.fixture(scope="session")
def span(watched: Watched, tmp_path_factory: pytest.TempPathFactory) -> Span:
    """The time of a load that has just ended."""
    start = time.time()
    work(watched, LOAD_S, tmp_path_factory.mktemp("load"))
    return Span(start, time.time(), watched.prometheus.interval("user"))


@pytest.fixture(scope="session")
def verdicts(watched: Watched, span: Span, pytestconfig: pytest.Config) -> list[Verdict]:
    """What every panel shows of that time."""
    alone = watched.system is not None
    pytestconfig.stash[VERDICTS] = [
        one for board in BOARDS for one in looked_at(board, span, watched.prometheus, alone=alone)
    ]
    return pytestconfig.stash[VERDICTS]
