"""A process that is stopped for 90 seconds and continues: what it still wants to write is refused, nothing is repeated.

`pytest -m on_demand tests/faults/test_zombies.py`, eight minutes.
"""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from services.contracts.service_list import SERVICES
from services.workbench.chaos.totals import SEND_WINDOW, repeated
from services.workbench.load.run import Pace
from services.workbench.local import postgres
from services.workbench.local.system import MAILS
from services.workbench.local.trial import READY_S, Trial, settings_on_free_ports, trial
from services.workbench.polling import until
from services.workbench.reconcile.collection import System, sink_mails
from tests.support.recorded_load import anomalies, load_beside
from tests.support.replicas import leader, programs, twin

pytestmark = pytest.mark.on_demand

REPLICATED = ("user", "notification")
BEFORE_S, STOPPED_S, AFTER_S = 10.0, 90.0, 20.0
PACE = Pace(rate=15.0, seconds=BEFORE_S + STOPPED_S + AFTER_S)
REFUSED = ("relay_refused_writes_total", "progress_lost_races_total")


@pytest.mark.parametrize("service", SERVICES)
def test_a_process_that_continues_after_90_seconds_changes_nothing_that_another_has_taken_over(
    service: str, tmp_path: Path, postgres_server: postgres.Server
) -> None:
    settings = settings_on_free_ports(users=1)
    urls = {name: postgres_server.fresh_url() for name in SERVICES}
    twins = [twin(name, settings, urls, tmp_path) for name in REPLICATED]
    history = tmp_path / "history.jsonl"
    with trial(settings, programs(settings, urls, tmp_path) + twins, tmp_path) as run:
        zombie = asyncio.run(leader(run, service)) if service in REPLICATED else service
        url = run.url("user-2" if zombie == "user" else "user")
        asyncio.run(load_beside(url, history, PACE, stopped_and_continued(run, zombie)))
        run.system.wait_ready(READY_S, *run.system.running)
        system = System(
            kafka=settings.client,
            audit_url=run.url("audit"),
            mails=tmp_path / MAILS,
            user_database=urls["user"],
            notification_database=urls["notification"],
            takeovers=True,
        )
        assert anomalies(system, history) == []
        assert repeated(sink_mails(tmp_path / MAILS)) <= (SEND_WINDOW if service == "notification" else 0)
        if service in REPLICATED:  # of audit there is one process: nobody takes over what it holds
            until("a stale write of the zombie was refused", lambda: refused(run, zombie))


async def stopped_and_continued(run: Trial, process: str) -> None:
    """Stop a process for longer than its session, its lease and its claims, and let it go on."""
    pid = run.system.process(process).pid
    await asyncio.sleep(BEFORE_S)
    os.kill(pid, signal.SIGSTOP)
    try:
        await asyncio.sleep(STOPPED_S)
    finally:
        os.kill(pid, signal.SIGCONT)


def refused(run: Trial, process: str) -> float:
    """Return how many writes of a process were refused because another has taken over."""
    return sum(asyncio.run(run.metric(process, name)) for name in REFUSED)
