"""Drills: the user database is lost under load and restored from the log; a backup is put back and caught up.

The commands are those of docs/backup.md. The restored rows are those that were lost, byte for byte.
"""

import asyncio
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url, select

from services.chassis.consumer.decoding import Decoder
from services.chassis.database.database import Database
from services.chassis.outbox.event_store import counter
from services.chassis.outbox.event_store import events as event_table
from services.chassis.settings.environment import load
from services.contracts.catalog import OPERATIONS
from services.contracts.service_list import SERVICES
from services.user import bootstrap
from services.user.as_of.merge import MergedLog
from services.user.rebuild import FACTS
from services.user.settings import Settings
from services.user.store import reservations, users
from services.workbench.local import postgres
from services.workbench.local.system import local_programs
from services.workbench.local.trial import READY_S, Trial, hastened, settings_on_free_ports, trial, wrong
from tests.support.command_blocks import Block, blocks_for, execute
from tests.support.killed import KILLED, through
from tests.support.lost_database import lose

USERS = 60
SHORT = {"APP_RELAY_LEASE": "2s", "APP_KAFKA_MESSAGE_TIMEOUT": "1s"}  # of a restore: the next one waits for its end
KILLS = (
    ("before", "services.chassis.database.migrations:upgrade"),
    ("after", "services.user.as_of.builder:apply"),
    ("after", "services.user.restore.failures:remember_decided"),
    ("after", "services.chassis.outbox.operator_events:record"),
)


class UserDatabase:
    """The database of the user service. A lost one is kept under another name; its place is empty."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.backup = folder / "backup"

    @property
    def name(self) -> str:
        """The database for a backup program: a file, or a URL of libpq."""
        url = make_url(self.url)
        if url.get_backend_name() == "sqlite":
            return str(url.database)
        return url.set(drivername="postgresql").render_as_string()

    def lose(self, kept: str) -> str:
        """Return the URL of what was lost."""
        return lose(self.url, kept)


@pytest.fixture(params=[pytest.param("SQLite", marks=pytest.mark.on_demand), "PostgreSQL"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def lost_database(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> UserDatabase:
    if kind == "SQLite":
        return UserDatabase(f"sqlite:///{tmp_path}/user.db", tmp_path)
    server: postgres.Server = request.getfixturevalue("postgres_server")
    return UserDatabase(server.fresh_url(), tmp_path)


@pytest.fixture
def run(lost_database: UserDatabase, tmp_path: Path) -> Iterator[Trial]:
    settings = settings_on_free_ports(USERS)
    programs = [hastened(program) for program in local_programs(settings, tmp_path)]
    own = {"APP_DATABASE_URL": lost_database.url}
    programs = [one.with_environment(own) if one.name == "user" else one for one in programs]
    with trial(settings, programs, tmp_path) as running:
        yield running


def rows(url: str) -> dict[str, list[tuple[Any, ...]]]:
    database = Database(url)
    try:
        with database.read() as connection:
            tables = (event_table, users, reservations, counter)
            return {table.name: sorted(map(tuple, connection.execute(select(table)))) for table in tables}
    finally:
        database.close()


def block(heading: str) -> Block:
    """Return the commands of the page under a heading."""
    (found,) = [one for one in blocks_for(__file__) if one.heading == heading]
    return found


def executed(heading: str, database: UserDatabase, environment: Mapping[str, str]) -> str:
    own = {name: value for name, value in environment.items() if name.startswith("APP_")}
    code, output = execute(block(heading).text, own | {"DATABASE": database.name, "BACKUP": str(database.backup)})
    assert code == 0, output
    return output


def restore_killed(environment: Mapping[str, str]) -> None:
    """Start restores that are killed with SIGKILL, each at another step."""
    for when, function in KILLS:
        argv = (sys.executable, "-m", *through(when, 1, function), "services.user", "restore")
        done = subprocess.run(argv, env={**environment, **SHORT}, capture_output=True, text=True, check=False)
        assert done.returncode == KILLED, (function, done.stdout, done.stderr)


def events_on_the_log(environment: Mapping[str, str]) -> int:
    """Return the number of events; one sequence number with two contents raises LogError, and so does a gap."""
    log = bootstrap.build_log(load(Settings, environment))
    return sum(1 for _ in MergedLog(log.open(), Decoder(FACTS)))


@pytest.mark.long
def test_a_lost_database_and_an_old_backup_are_restored_and_nothing_is_missing(
    run: Trial, lost_database: UserDatabase, kind: str
) -> None:
    environment = run.system.process("user").program.environment

    def lose_and_restore() -> None:
        before = rows(lost_database.lose("lost_under_load"))
        restore_killed(environment)
        output = executed("Without a backup", lost_database, environment)
        assert f"next event gets sequence {len(before['events']) + 1:,}" in output
        assert rows(lost_database.url) == before

    async def meanwhile() -> None:
        await asyncio.to_thread(run.system.stop, "user")
        await asyncio.to_thread(lose_and_restore)
        run.system.start("user")
        await asyncio.to_thread(run.system.wait_ready, READY_S, "user")
        await asyncio.to_thread(executed, f"{kind}: take a backup", lost_database, environment)

    watch = run.play(meanwhile)
    restored = [line for line in wrong(watch.lines()) if (line.place, line.arrived) == (OPERATIONS.name, 1)]
    assert wrong(watch.lines()) == restored, "the restore is on record, and nothing else is wrong"
    assert set(run.system.stop(*SERVICES).values()) == {0}
    before = rows(lost_database.lose("lost_again"))
    executed(f"{kind}: put a backup back", lost_database, environment)
    assert len(rows(lost_database.url)["events"]) < len(before["events"])
    assert "events appended" in executed("From a backup", lost_database, environment)
    assert rows(lost_database.url) == before
    assert "equal" in executed("Compare", lost_database, environment)
    run.system.start("user")
    run.system.wait_ready(READY_S, "user")
    assert run.system.stop("user") == {"user": 0}
    assert rows(lost_database.url) == before, "the failed mails of before flag nobody again"
    assert events_on_the_log(environment) == len(before["events"])
