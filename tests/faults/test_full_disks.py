"""Full disks and read-only databases under load: commands are refused with problem details, and recovery is unaided.

`pytest -m on_demand tests/faults/test_full_disks.py` as root, eight minutes. A broker or database server that has ended
for want of room is started again, as a supervisor does; no service is.
"""

import asyncio
import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from services.workbench.chaos import site as sites
from services.workbench.chaos.site import Site, Target, site
from services.workbench.faults.conditions.disks import Disk
from services.workbench.faults.table import BROKER, DATABASE, Fault
from services.workbench.load.run import Pace
from services.workbench.local import postgres
from services.workbench.local.trial import STATE, settings_on_free_ports
from tests.support.recorded_load import anomalies, load_beside, problem_of, unanswered

pytestmark = pytest.mark.on_demand

BEFORE_S, BROKEN_S, AFTER_S = 8.0, 20.0, 12.0
PACE = Pace(rate=20.0, seconds=BEFORE_S + BROKEN_S + AFTER_S)
FULL, READ_ONLY, BROKER_FULL = Fault("fill", DATABASE), Fault("write-protect", DATABASE), Fault("fill", BROKER)
CASES = [(target, fault) for target in (Target.LOCAL, Target.POSTGRESQL) for fault in (FULL, READ_ONLY, BROKER_FULL)]


@pytest.mark.parametrize(("target", "fault"), CASES, ids=[f"{target}-{fault.name}" for target, fault in CASES])
def test_commands_are_refused_with_problem_details_and_everything_recovers_by_itself(
    target: Target, fault: Fault, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "kafka").symlink_to(STATE / "kafka")
    settings = replace(settings_on_free_ports(users=1), state_dir=tmp_path)
    history = tmp_path / "history.jsonl"
    if (target, fault) == (Target.LOCAL, READ_ONLY):  # no file in memory is immutable
        monkeypatch.setattr(sites, "mounted", shared)
    if target is Target.POSTGRESQL and postgres.binaries() is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    with site(settings, target, lambda _: None) as running:
        if fault not in running.injector.possible():
            pytest.skip(f"{fault.name} is not possible here: it takes root")
        asyncio.run(load_beside(running.user_url, history, PACE, broken(running, fault)))
        assert anomalies(running.evidence, history) == []
    refusals = unanswered(history)
    assert [one for one in refusals if problem_of(one) is None] == [], "without an answer"
    assert bool(refusals) is (fault.target == DATABASE), "the broker's disk is nothing that a command needs"
    assert running.problems == [], "a service has not ended in order"


async def broken(running: Site, fault: Fault) -> None:
    """Cause a fault for some time."""
    await asyncio.sleep(BEFORE_S)
    await running.injector.begin(fault, BROKEN_S)
    await asyncio.sleep(BROKEN_S)
    await running.injector.close()


@contextlib.contextmanager
def shared(_: Mapping[str, Path]) -> Iterator[Mapping[str, Disk]]:
    """Yield no disk of its own."""
    yield {}
