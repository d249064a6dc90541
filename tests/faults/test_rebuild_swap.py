"""Projections are rebuilt and swapped while the services serve: no failed request, no older version, no side effect.

The rebuilding process is killed with SIGKILL at each step and run again. PostgreSQL, the database of production, has
every step; SQLite those around the commit.
"""

import asyncio
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import inspect, select

from services.chassis.database.database import Database
from services.contracts.catalog import OPERATIONS
from services.contracts.user import UserState
from services.notification.store.batch import STATE
from services.notification.store.tables import replica
from services.user.store import users
from services.workbench.local.system import local_programs
from services.workbench.local.trial import Trial, hastened, settings_on_free_ports, trial
from tests.faults.rebuild_load import play
from tests.support.console_process import console
from tests.support.killed import KILLED, through

pytestmark = pytest.mark.long

OWNERS = {"users": "user", "replica": "notification"}
SHADOW, REBUILD = "services.chassis.projection.shadow:Shadow", "services.chassis.projection.rebuild:Rebuild"
SOURCE = "services.chassis.projection.replica_source:ReplicaSource"
# The calls after which a run is killed, and the next one begins again: steps that both have in common are shared out.
STEPS = {
    "postgresql": {
        "users": [f"{SHADOW}.begin", f"{REBUILD}.compare", f"{SHADOW}.swap"],
        "replica": [f"{SOURCE}.apply", f"{REBUILD}.fill", f"{SHADOW}.lock"],
    },
    "sqlite": {"users": [f"{SHADOW}.swap"], "replica": [f"{SHADOW}.lock"]},
}
COMMITTED = f"{REBUILD}.swap"
WITHOUT_EFFECTS = ("tests.support.without_effects",)
PATIENCE_S = 120.0  # for one run, beside the load
ACTIONS = 2 + 1  # of each projection on record: two swaps, and tables dropped between


class Rebuilds:
    """Runs of `rebuild` with the settings of the services."""

    def __init__(self, environments: Mapping[str, Mapping[str, str]], kind: str) -> None:
        self._environments = environments
        self._kind = kind
        self.output: list[str] = []

    def all(self) -> None:
        """Rebuild each projection: killed at each step, after the commit, and at last to its end."""
        for projection in OWNERS:
            for step in STEPS[self._kind][projection]:
                self._expect(KILLED, "", projection, through=through("after", 1, step))
            self._expect(0, "the unfinished tables are dropped", projection, "--abandon")
            self._expect(KILLED, "", projection, through=through("after", 1, COMMITTED))
            self._expect(2, "drop them with --drop-old", projection)
            self._expect(0, "_replaced", projection, "--drop-old")
            self._expect(0, "at one position: equal\nswapped", projection, through=WITHOUT_EFFECTS)

    def _expect(self, code: int, text: str, projection: str, *options: str, through: tuple[str, ...] = ()) -> None:
        service = OWNERS[projection]
        argv = (sys.executable, "-m", *through, f"services.{service}", "rebuild", projection, *options)
        done = subprocess.run(
            argv, env=self._environments[service], capture_output=True, text=True, check=False, timeout=PATIENCE_S
        )
        output = done.stdout + done.stderr
        self.output.append(output)
        assert (done.returncode, text in output) == (code, True), (argv, output)


@pytest.fixture
def urls(request: pytest.FixtureRequest, kind: str, tmp_path: Path) -> dict[str, str]:
    if kind == "sqlite":
        return {name: f"sqlite:///{tmp_path}/{name}.db" for name in OWNERS.values()}
    server = request.getfixturevalue("postgres_server")
    return {name: server.fresh_url() for name in OWNERS.values()}


@pytest.fixture
def run(urls: dict[str, str], tmp_path: Path) -> Iterator[Trial]:
    settings = settings_on_free_ports(users=1)
    programs = [hastened(program) for program in local_programs(settings, tmp_path)]
    programs = [
        one.with_environment({"APP_DATABASE_URL": urls[one.name]}) if one.name in urls else one for one in programs
    ]
    with trial(settings, programs, tmp_path) as running:
        yield running


@pytest.mark.parametrize("kind", [pytest.param("postgresql", marks=pytest.mark.on_demand), "sqlite"])
def test_clients_notice_nothing_of_rebuilds_that_are_killed_and_run_again(
    run: Trial, urls: dict[str, str], kind: str
) -> None:
    environments = {name: run.system.process(name).program.environment for name in OWNERS.values()}
    rebuilds = Rebuilds(environments, kind)
    played = asyncio.run(play(run, rebuilds.all))
    sys.stdout.write(f"{played.requests} requests, the longest {played.longest_s:.2f} s\n{''.join(rebuilds.output)}")
    assert played.problems == []
    assert [line for line in played.lines if not line.is_right] == []
    assert played.operations == ACTIONS * len(OWNERS), OPERATIONS.name
    code, output = console(broker(environments), "rebuild", "--check", "--database-url", urls["user"])
    assert code == 0, output
    assert replicated(urls["notification"]) == current(urls["user"])
    assert {name for url in urls.values() for name in tables(url) if "_rebu" in name} == set()


def broker(environments: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    name = "APP_KAFKA_BOOTSTRAP_SERVERS"
    return {name: environments["user"][name]}


def current(url: str) -> dict[str, UserState]:
    with closing(Database(url)) as database, database.read() as connection:
        return {row.user_id: STATE.decode(row.state) for row in connection.execute(select(users))}


def replicated(url: str) -> dict[str, UserState]:
    with closing(Database(url)) as database, database.read() as connection:
        return {row.user_id: STATE.decode(row.state) for row in connection.execute(select(replica))}


def tables(url: str) -> list[str]:
    with closing(Database(url)) as database:
        return inspect(database.engine).get_table_names()
