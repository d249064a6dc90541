"""Two user and two notification processes on one PostgreSQL; one of each is killed half-way and stays dead."""

from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest

from services.contracts.service_list import SERVICES
from services.workbench.chaos.totals import SEND_WINDOW
from services.workbench.local import postgres
from services.workbench.local.free_ports import free_ports
from services.workbench.local.processes import Program
from services.workbench.local.system import local_programs, service, service_environment
from services.workbench.local.trial import haste, settings_on_free_ports, trial, wrong
from services.workbench.settings import WorkbenchSettings
from tests.support.store_effects import problems, value

USERS = 150
REPLICATED = ("user", "notification")


@pytest.mark.long
def test_replicas_share_a_database_and_survive_the_death_of_one_of_each(
    tmp_path: Path, postgres_server: postgres.Server
) -> None:
    settings = settings_on_free_ports(USERS)
    urls = {name: postgres_server.fresh_url() for name in SERVICES}
    twins = [twin(name, settings, urls, tmp_path) for name in REPLICATED]
    with trial(settings, programs(settings, urls, tmp_path) + twins, tmp_path) as run:
        survivors = ["audit"]

        async def kill_the_leaders() -> None:
            for name in REPLICATED:
                leads = await run.metric(name, "relay_epoch") > 0
                run.system.kill(name if leads else f"{name}-2")
                survivors.append(f"{name}-2" if leads else name)
            for driver in run.drivers:  # as a load balancer would
                driver.api.url = run.url(survivors[1])

        watch = run.play(kill_the_leaders, [run.url("user"), run.url("user-2")])
        assert wrong(watch.lines(), mails_may_repeat=SEND_WINDOW) == []
        for name in REPLICATED:
            assert problems(urls[name], name) == {}
            assert value(urls[name], "SELECT epoch FROM relay") == 2, "the other relay has not taken over"
        assert set(run.system.stop(*survivors).values()) == {0}
    deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"  # other tests provoke some
    assert {name: value(url, deadlocks) for name, url in urls.items()} == dict.fromkeys(urls, 0)


def programs(settings: WorkbenchSettings, urls: Mapping[str, str], folder: Path) -> list[Program]:
    """Return the local system with its stores on PostgreSQL."""
    parts = [part for part in local_programs(settings, folder) if part.name not in SERVICES]
    return parts + [service(name, environment(name, settings, urls, folder), folder) for name in SERVICES]


def twin(name: str, settings: WorkbenchSettings, urls: Mapping[str, str], folder: Path) -> Program:
    """Return a second process of a service, on ports of its own."""
    http, metrics = free_ports(2)
    ports = {"APP_HTTP_PORT": str(http), "APP_METRICS_PORT": str(metrics)}
    second = service(name, {**environment(name, settings, urls, folder), **ports}, folder)
    return msgspec.structs.replace(second, name=f"{name}-2", log=folder / f"{name}-2.log")


def environment(name: str, settings: WorkbenchSettings, urls: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Return a service's variables, with a database on PostgreSQL and short leases."""
    return {**service_environment(name, settings, folder), **haste(name), "APP_DATABASE_URL": urls[name]}
