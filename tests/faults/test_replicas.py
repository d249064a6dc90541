"""Two user and two notification processes on one PostgreSQL; one of each is killed half-way and stays dead."""

from pathlib import Path

import pytest

from services.contracts.service_list import SERVICES
from services.workbench.chaos.totals import SEND_WINDOW
from services.workbench.local import postgres
from services.workbench.local.trial import settings_on_free_ports, trial, wrong
from tests.support.replicas import leader, programs, twin
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
                leads = await leader(run, name)
                run.system.kill(leads)
                survivors.append(f"{name}-2" if leads == name else name)
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
