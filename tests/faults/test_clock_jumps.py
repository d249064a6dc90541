"""The wall clock of one process jumps a day ahead and back, with a kill while it is ahead: nothing is lost."""

import asyncio
import time
from http.client import HTTPConnection
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from services.contracts.service_list import JOBS, LAG_EXPORTER, SERVICES
from services.workbench.chaos.totals import SEND_WINDOW
from services.workbench.faults.conditions.clocks import WallClock
from services.workbench.local.system import local_programs, verify_audit
from services.workbench.local.trial import READY_S, Trial, hastened, settings_on_free_ports, trial, wrong
from tests.support.store_effects import problems, value

pytestmark = pytest.mark.long

USERS = 150
DAY_S, HOUR_S = 86_400, 3600
ENTRIES_WHILE_AHEAD = 60
PUBLISHERS = ("user", "notification")
REFUSED = "INVALID_TIMESTAMP"  # a broker takes no record that is dated more than an hour ahead
OFTEN = ("user", "broker")
OTHERS = [name for name in (*SERVICES, LAG_EXPORTER, "sink") if name not in OFTEN]


@pytest.mark.parametrize("victim", [*OFTEN, *(pytest.param(name, marks=pytest.mark.on_demand) for name in OTHERS)])
def test_a_clock_that_jumps_a_day_ahead_and_back_loses_nothing(victim: str, tmp_path: Path) -> None:
    settings, clock = settings_on_free_ports(USERS), WallClock(tmp_path)
    programs = [hastened(program) for program in local_programs(settings, tmp_path)]
    programs = [clock.give(program) if program.name == victim else program for program in programs]
    with trial(settings, programs, tmp_path) as run:
        run.system.start(LAG_EXPORTER)
        run.system.wait_ready(READY_S, LAG_EXPORTER)

        ahead: dict[str, dict[str, float]] = {}

        async def jump_ahead_and_back() -> None:
            clock.set(DAY_S)
            await (refused(run, victim) if victim in PUBLISHERS else audited(run, ENTRIES_WHILE_AHEAD))
            # While it lasts, an age may be a day too long.
            ahead.update({job: insane(run, job, 2 * DAY_S) for job in JOBS})
            run.system.kill(victim)
            clock.set(0)
            run.system.start(victim)

        watch = run.play(jump_ahead_and_back)
        # Mails in hand repeat when their claims end at the jump, and at the kill.
        assert wrong(watch.lines(), mails_may_repeat=2 * SEND_WINDOW if victim == "notification" else 0) == []
        run.system.wait_ready(READY_S, *JOBS)
        assert {job: found for job, found in ahead.items() if found} == {}, "while the clock was ahead"
        assert {job: found for job in JOBS if (found := insane(run, job))} == {}
        assert set(run.system.stop(*SERVICES).values()) == {0}
        for service in ("user", "notification"):
            assert problems(f"sqlite:///{tmp_path / service}.db", service) == {}
        verified = verify_audit(settings, tmp_path)
        assert verified.returncode == 0, verified.stdout + verified.stderr


async def refused(run: Trial, service: str) -> None:
    """Wait until the log of the service has the refusal of its records, and whose clock is wrong."""
    log, deadline = run.folder / f"{service}.log", time.monotonic() + READY_S
    while f"{REFUSED} on topic" not in (text := log.read_text()) or "correct this host's clock" not in text:
        assert time.monotonic() < deadline, text[-2000:]
        await asyncio.sleep(0.1)


async def audited(run: Trial, more: int) -> None:
    """Wait until the audit log has so many more entries."""
    database, query = f"sqlite:///{run.folder / 'audit'}.db", "SELECT count(*) FROM entries"
    wanted, deadline = int(str(value(database, query))) + more, time.monotonic() + READY_S
    while (seen := int(str(value(database, query)))) < wanted:
        assert time.monotonic() < deadline, f"{seen} of {wanted} entries in the audit log"
        await asyncio.sleep(0.1)


def insane(run: Trial, job: str, longest_age_s: float = HOUR_S) -> dict[str, float]:
    """Return the samples that are negative, the means above an hour, and the ages above a limit."""
    port = run.system.process(job).program.environment["APP_METRICS_PORT"]
    connection = HTTPConnection("127.0.0.1", int(port), timeout=READY_S)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        counts = {tuple(one.labels.items()): one.value for one in family.samples if one.name.endswith("_count")}
        for one in family.samples:
            mean = one.value / max(1, counts.get(tuple(one.labels.items()), 1)) if one.name.endswith("_sum") else 0
            age = one.value if one.name.endswith("_age_seconds") else 0
            if one.value < 0 or mean > HOUR_S + 1 or age > longest_age_s:
                found[f"{one.name}{one.labels}"] = one.value
    return found
