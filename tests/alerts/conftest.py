"""Runs the fault scenario once for all tests of this folder and prints its table at the end."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from services.workbench.local.free_ports import free_ports
from services.workbench.local.postgres import Server, binaries
from tests.alerts.environment import Environment, environment
from tests.alerts.faults import BY_PROMTOOL_ALONE, PHASES, Fault
from tests.alerts.scenario import Identity, Outcome, play

OUTCOMES = pytest.StashKey[Sequence[Outcome]]()
ON_A_VOLUME = "DatabaseSpaceLow"


class Result:
    """The alerts that fired before any fault, the outcome of each alert, and the folder with the mails."""

    def __init__(self, before: Sequence[Identity], outcomes: Sequence[Outcome], folder: Path) -> None:
        self.before = before
        self.outcomes = {one.alert: one for one in outcomes}
        self.folder = folder


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print when each alert fired and cleared, and which alerts only promtool tests."""
    if outcomes := config.stash.get(OUTCOMES, None):
        terminalreporter.write_line(
            "\nAlert, job, seconds from fault to firing, seconds from the end of the fault to clearing, fault"
        )
        for one in outcomes:
            terminalreporter.write_line(row(one))
        for name, reason in BY_PROMTOOL_ALONE.items():
            terminalreporter.write_line(f"{name:30} only tested by promtool: {reason}")


def row(one: Outcome) -> str:
    """Return a line of the table."""
    name = f"{one.alert.name} {one.alert.long}".strip()
    return f"{name:30} {one.alert.job:13} {_seconds(one.fired_after)} {_seconds(one.cleared_after)}  {one.what}"


def _seconds(number: float | None) -> str:
    return f"{'never':>8}" if number is None else f"{number:6.1f} s"


@pytest.fixture(scope="module")
def scenario(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Result]:
    """The result of the scenario on one system, which stops before promtool runs."""
    folder, programs = tmp_path_factory.mktemp("alerts"), binaries()
    assert programs, "PostgreSQL is not installed, and a service must lose its database: apt-get install postgresql"
    server = Server(programs, free_ports(1)[0])
    try:
        with environment(folder, server) as system:
            before, outcomes = play(system, possible(system))
            request.config.stash[OUTCOMES] = outcomes
            yield Result(before, outcomes, folder)
    finally:
        server.close()


def possible(system: Environment) -> list[list[Fault]]:
    """Return the faults that this machine can inject."""
    return [[fault for fault in phase if system.volume or ON_A_VOLUME not in fault.raises] for phase in PHASES]
