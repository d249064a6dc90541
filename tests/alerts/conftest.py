"""The ordeal, played once for all tests here; its table is printed at the end."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from services.workbench.local.free_ports import free_ports
from services.workbench.local.postgres import Server, binaries
from tests.alerts.deeds import BY_PROMTOOL_ALONE, PHASES, Deed
from tests.alerts.ordeal import Outcome, Told, play
from tests.alerts.stage import Stage, stage

OUTCOMES = pytest.StashKey[Sequence[Outcome]]()
ON_A_VOLUME = "DatabaseSpaceLow"


class Ordeal:
    """What was told before anything happened, what became of each alert, and the mails of the sink."""

    def __init__(self, before: Sequence[Told], outcomes: Sequence[Outcome], folder: Path) -> None:
        self.before = before
        self.outcomes = {one.told: one for one in outcomes}
        self.folder = folder


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say when each alert fired and cleared, and which were proved by promtool alone."""
    if outcomes := config.stash.get(OUTCOMES, None):
        terminalreporter.write_line(
            "\nWhat happened, which alert it raised, after how many seconds, and how long after its end"
        )
        for one in outcomes:
            terminalreporter.write_line(row(one))
        for name, reason in BY_PROMTOOL_ALONE.items():
            terminalreporter.write_line(f"{name:30} by promtool's cases alone: {reason}")


def row(one: Outcome) -> str:
    """Return a line of the table."""
    name = f"{one.told.name} {one.told.long}".strip()
    return f"{name:30} {one.told.job:13} {_seconds(one.fired_after)} {_seconds(one.cleared_after)}  {one.what}"


def _seconds(number: float | None) -> str:
    return f"{'never':>8}" if number is None else f"{number:6.1f} s"


@pytest.fixture(scope="module")
def ordeal(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ordeal]:
    """All that happens, on one system, which is gone when promtool begins."""
    folder, programs = tmp_path_factory.mktemp("alerts"), binaries()
    assert programs, "PostgreSQL is not installed, and a service must lose its database: apt-get install postgresql"
    server = Server(programs, free_ports(1)[0])
    try:
        with stage(folder, server) as system:
            before, outcomes = play(system, possible(system))
            request.config.stash[OUTCOMES] = outcomes
            yield Ordeal(before, outcomes, folder)
    finally:
        server.close()


def possible(system: Stage) -> list[list[Deed]]:
    """Return the deeds without those for which something is missing here."""
    return [[deed for deed in phase if system.volume or ON_A_VOLUME not in deed.raises] for phase in PHASES]
