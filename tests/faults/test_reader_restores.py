"""The databases of notification and audit are lost under load, whole and after a backup; the restores are killed too.

`services.notification restore` and `services.audit restore` run as an operator runs them. Afterwards every count is
right: no mail is missing and none was sent twice. The audit log has no key here: a signed one that has read the topics
again is another log.
"""

import asyncio
import shutil
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import msgspec
import psycopg
import pytest
from sqlalchemy import make_url

from services.audit import store
from services.chassis.database.database import Database
from services.chassis.outbox.event_store import last_sequence
from services.chassis.settings.environment import PREFIX
from services.contracts.catalog import OPERATIONS
from services.workbench.local import postgres
from services.workbench.local.processes import Program
from services.workbench.local.sink import Mail
from services.workbench.local.system import MAILS, local_programs
from services.workbench.local.trial import READY_S, Trial, hastened, settings_on_free_ports, trial, wrong
from services.workbench.polling import until
from tests.support.command_blocks import blocks_for, execute
from tests.support.killed import KILLED, through
from tests.support.store_effects import problems

pytestmark = pytest.mark.long

USERS = 100
LOST = ("notification", "audit")
# The call of a function at which the first run of a restore is killed. A restore of an empty audit log that is killed
# goes on as a backup does.
DEATHS = {
    "notification": through("before", 1, "services.notification.store.restore:Restoration.finish"),
    "audit": through("after", 1, "services.audit.restore.command:_apply"),
}
Heads = dict[tuple[str, int, int], bytes]  # by topic id, partition and offset


class Sqlite:
    """Stores in files; a backup is made while the service uses the store."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def url(self, service: str) -> str:
        return f"sqlite:///{self._file(service)}"

    def back_up(self, service: str) -> None:
        with (
            closing(sqlite3.connect(self._file(service))) as source,
            closing(sqlite3.connect(self._copy(service))) as to,
        ):
            source.backup(to)

    def delete(self, service: str) -> None:
        for path in self._folder.glob(f"{service}.db*"):
            path.unlink()

    def put_back(self, service: str) -> None:
        self.delete(service)
        shutil.copy(self._copy(service), self._file(service))

    def _file(self, service: str) -> Path:
        return self._folder.absolute() / f"{service}.db"

    def _copy(self, service: str) -> Path:
        return self._folder / f"backup-of-{service}"


class Postgres:
    """Databases of a server; a backup is made by pg_dump."""

    def __init__(self, server: postgres.Server, folder: Path) -> None:
        self._urls = {service: server.fresh_url() for service in LOST}
        self._folder = folder

    def url(self, service: str) -> str:
        return self._urls[service]

    def back_up(self, service: str) -> None:
        self._run("pg_dump", service, "-f", str(self._copy(service)))

    def delete(self, service: str) -> None:
        with psycopg.connect(self._dsn(service), autocommit=True) as connection:
            connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")

    def put_back(self, service: str) -> None:
        self.delete(service)
        self._run("psql", service, "-q", "-v", "ON_ERROR_STOP=1", "-f", str(self._copy(service)))

    def _run(self, program: str, service: str, *arguments: str) -> None:
        found = postgres.binaries()
        assert found
        subprocess.run([found / program, self._dsn(service), *arguments], check=True, capture_output=True)

    def _dsn(self, service: str) -> str:
        return make_url(self._urls[service]).set(drivername="postgresql").render_as_string()

    def _copy(self, service: str) -> Path:
        return self._folder / f"backup-of-{service}.sql"


Stores = Sqlite | Postgres


class Drill:
    """A system under load whose stores are lost and restored."""

    def __init__(self, run: Trial, stores: Stores, programs: dict[str, Program]) -> None:
        self._run = run
        self._stores = stores
        self._programs = programs
        self.reports: list[str] = []

    async def lose_and_restore(self) -> None:
        """Back up; later delete and restore the stores; later again put the backup in their place and restore it."""
        decided = partial(decisions, self._stores.url("notification"))
        await asyncio.to_thread(until, "an event of notification", decided, seconds=READY_S)
        for service in LOST:
            await asyncio.to_thread(self._stores.back_up, service)
        await self._more_commands()
        await self._restored(self._stores.delete)
        await self._more_commands()
        await self._restored(self._stores.put_back, "--after-backup")

    async def _restored(self, lose: Callable[[str], None], *options: str) -> None:
        assert set((await asyncio.to_thread(self._run.system.stop, *LOST)).values()) == {0}
        before = heads(self._stores.url("audit"))
        for service in LOST:
            await asyncio.to_thread(lose, service)
            await asyncio.to_thread(self._restore, service, options)
        after = heads(self._stores.url("audit"))
        assert {place: after.get(place) for place in before} == before, "the entries are not those that were lost"
        self._run.trail.read_again()
        self._run.system.start(*LOST)
        await asyncio.to_thread(self._run.system.wait_ready, READY_S, *LOST)

    def _restore(self, service: str, options: tuple[str, ...]) -> None:
        if service == "notification" or options:
            killed = self.command(service, *DEATHS[service], f"services.{service}", "restore", *options)
            assert killed.returncode == KILLED, killed.stdout + killed.stderr
        self.reports.append(self.documented(service, " ".join((f"services.{service} restore", *options))))

    def documented(self, service: str, command: str) -> str:
        """Execute the block of docs/backup.md with this command. Returns its output."""
        (block,) = [block for block in blocks_for(__file__) if block.text.strip().endswith(command)]
        code, output = execute(block.text, settings_of(self._programs[service]))
        assert code == 0, output
        return output

    def command(self, service: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a module with the environment of a service."""
        argv = (sys.executable, "-m", *arguments)
        environment = self._programs[service].environment
        return subprocess.run(argv, env=environment, capture_output=True, text=True, check=False, timeout=READY_S)

    async def _more_commands(self) -> None:
        """Wait until a tenth of the campaign has followed, or all of it."""
        wanted = min(len(self._run.accepted) + self._run.commands // 10, self._run.commands)
        while len(self._run.accepted) < wanted:  # noqa: ASYNC110  # nobody sets an event: acceptance is counted
            await asyncio.sleep(0.01)


def settings_of(program: Program) -> dict[str, str]:
    """Return the settings in a program's environment."""
    return {name: value for name, value in program.environment.items() if name.startswith(PREFIX)}


def heads(url: str) -> Heads:
    """Return the head of the chain after each entry of an audit log."""
    database = Database(url)
    with database.snapshot() as connection:
        found = {(one.topic_id, one.partition, one.offset): one.chain for one in store.read_entries(connection)}
    database.close()
    return found


def decisions(url: str) -> int:
    """Return how many events the notification service has stored: a backup without one is no backup."""
    database = Database(url)
    with database.read() as connection:
        found = last_sequence(connection)
    database.close()
    return found


@pytest.fixture(params=[pytest.param("sqlite", marks=pytest.mark.on_demand), "postgresql"])
def stores(request: pytest.FixtureRequest, tmp_path: Path) -> Stores:
    if request.param == "sqlite":
        return Sqlite(tmp_path)
    return Postgres(request.getfixturevalue("postgres_server"), tmp_path)


@pytest.fixture
def drill(stores: Stores, tmp_path: Path) -> Iterator[tuple[Trial, Drill]]:
    settings = settings_on_free_ports(USERS)
    programs = [on(stores, hastened(program)) for program in local_programs(settings, tmp_path)]
    with trial(settings, programs, tmp_path) as run:
        yield run, Drill(run, stores, {program.name: program for program in programs})


def on(stores: Stores, program: Program) -> Program:
    """Return a program with its store where the drill has it."""
    if program.name not in LOST:
        return program
    unsigned = {name: value for name, value in program.environment.items() if not name.startswith("APP_AUDIT_")}
    environment = {**unsigned, "APP_DATABASE_URL": stores.url(program.name)}
    return msgspec.structs.replace(program, environment=environment)


def test_lost_stores_are_restored_whole_and_after_a_backup(
    drill: tuple[Trial, Drill], stores: Stores, tmp_path: Path
) -> None:
    run, loss = drill
    watch = run.play(loss.lose_and_restore)
    facts = [line for line in watch.lines() if line.place != OPERATIONS.name]  # which has the restores themselves
    assert wrong(facts, mails_may_repeat=0) == [], loss.reports
    mails = [msgspec.json.decode(line, type=Mail) for line in (tmp_path / MAILS).read_bytes().splitlines()]
    for key in (lambda mail: mail.message_id, lambda mail: (mail.correlation_id, *mail.recipients, mail.subject)):
        assert [found for found, number in Counter(map(key, mails)).items() if number > 1] == []
    assert set(run.system.stop(*LOST).values()) == {0}
    assert problems(stores.url("notification"), "notification") == {}
    assert "the audit log is whole" in loss.documented("audit", "services.audit verify")
