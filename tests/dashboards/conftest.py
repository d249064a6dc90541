"""Loads one system for all tests of this folder and prints a summary of the panels at the end."""

import time
from collections.abc import Iterator

import pytest

from k8s.dashboards.documents import BOARDS
from tests.dashboards.grafana import Span
from tests.dashboards.verdict import Verdict, looked_at, summary
from tests.dashboards.watched import Watched, deployed, local
from tests.dashboards.workload import work

LOAD_S = 45.0
VERDICTS = pytest.StashKey[list[Verdict]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option for a Prometheus."""
    parser.addoption("--prometheus", default="", help="the address of one that watches the release on kind")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the summary of the panels."""
    if verdicts := config.stash.get(VERDICTS, None):
        terminalreporter.write_line(summary(verdicts))


@pytest.fixture(scope="session")
def watched(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """A system with a Prometheus, before any load."""
    address = str(request.config.getoption("--prometheus", ""))
    folder = tmp_path_factory.mktemp("dashboards")
    with deployed(address, folder) if address else local(folder) as watched:
        yield watched


@pytest.fixture(scope="session")
def span(watched: Watched, tmp_path_factory: pytest.TempPathFactory) -> Span:
    """The time span of a load that has just ended."""
    start = time.time()
    work(watched, LOAD_S, tmp_path_factory.mktemp("load"))
    return Span(start, time.time(), watched.prometheus.interval("user"))


@pytest.fixture(scope="session")
def verdicts(watched: Watched, span: Span, pytestconfig: pytest.Config) -> list[Verdict]:
    """The verdict on each panel over that time span."""
    alone = watched.system is not None
    pytestconfig.stash[VERDICTS] = [
        one for board in BOARDS for one in looked_at(board, span, watched.prometheus, alone=alone)
    ]
    return pytestconfig.stash[VERDICTS]
