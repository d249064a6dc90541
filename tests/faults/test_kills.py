"""SIGKILL of any one part in the middle of a run: after its restart everything arrives, and nothing twice."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from services.contracts.service_list import SERVICES
from services.workbench.chaos.totals import SEND_WINDOW
from services.workbench.local.system import local_programs, verify_audit
from services.workbench.local.trial import READY_S, Trial, hastened, settings_on_free_ports, trial, wrong
from tests.support.store_effects import problems

USERS = 150
OTHERS = [pytest.param(name, marks=pytest.mark.on_demand) for name in ("broker", *SERVICES) if name != "user"]


@contextmanager
def local_trial(folder: Path) -> Iterator[Trial]:
    settings = settings_on_free_ports(USERS)
    programs = [hastened(program) for program in local_programs(settings, folder)]
    with trial(settings, programs, folder) as run:
        yield run


def database(run: Trial, service: str) -> str:
    return f"sqlite:///{run.folder / service}.db"


@pytest.mark.parametrize("victim", ["user", *OTHERS])
def test_a_killed_part_loses_nothing_and_repeats_no_effect(victim: str, tmp_path: Path) -> None:
    with local_trial(tmp_path) as run:

        async def kill_and_restart() -> None:
            run.system.kill(victim)
            run.system.start(victim)

        watch = run.play(kill_and_restart)
        window = SEND_WINDOW if victim == "notification" else 0
        assert wrong(watch.lines(), mails_may_repeat=window) == []
        run.system.wait_ready(READY_S, *SERVICES)  # one whose effects are not counted may still be starting
        assert set(run.system.stop(*SERVICES).values()) == {0}
        assert problems(database(run, "user"), "user") == {}
        assert problems(database(run, "notification"), "notification") == {}
        verified = verify_audit(run.settings, run.folder)
        assert verified.returncode == 0, verified.stdout + verified.stderr


@pytest.mark.long
def test_without_kafka_the_api_accepts_the_age_grows_and_all_is_delivered_afterwards(tmp_path: Path) -> None:
    with local_trial(tmp_path) as run:
        ages: list[float] = []

        async def take_kafka_away() -> None:
            run.system.kill("broker")
            deadline = time.monotonic() + READY_S
            while len(ages) < 2 or ages[-1] < ages[0] + 2:  # seconds of age, as the metric tells them
                assert time.monotonic() < deadline, f"the age does not grow: {ages}"
                ages.append(await run.metric("user", "outbox_oldest_age_seconds"))
                await asyncio.sleep(0.1)
            run.system.start("broker")

        watch = run.play(take_kafka_away)
        assert wrong(watch.lines()) == []
        assert max(command.attempts for command in watch.accepted) == 1, "the API refused a command meanwhile"
        assert asyncio.run(run.metric("user", "outbox_oldest_age_seconds")) == 0
