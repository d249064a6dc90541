"""A short campaign on a whole local system, one of whose services may have a planted bug, and its anomalies."""

import asyncio
import os
import random
import shutil
import signal
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from services.chassis.kafka.admin import KafkaAdmin
from services.chassis.messages.record import partitions_of
from services.console.lag import lags, unasked
from services.contracts.catalog import USER_NOTICES
from services.contracts.service_list import WITH_API
from services.workbench.demo.client import RefusedError, UserApi
from services.workbench.load.generator import Generator
from services.workbench.load.mix import Mix
from services.workbench.local.free_ports import free_ports
from services.workbench.local.ports import HOST
from services.workbench.local.processes import Program
from services.workbench.local.system import service as service_program
from services.workbench.local.trial import READY_S, settings_on_free_ports
from services.workbench.polling import until
from services.workbench.reconcile import collection
from services.workbench.reconcile.checks import settled
from services.workbench.reconcile.history import Recorder, read, recording
from tests.support.bugs.table import Bug, Chance
from tests.support.console_process import console
from tests.support.crash.site import Site, own_programs, started
from tests.support.crash.stimuli import RETRY_HELD, Stimuli
from tests.support.planted import through

USERS, CONCURRENCY, RATE, SECONDS = 12, 8, 25.0, 6.0
KILLS, BETWEEN_S, PAUSED_S, AWAY_S = 3, 1.0, 6.0, 0.3
POISONS = 6
ANSWER_S = 60.0
WITHIN_S = 12.0  # for what is only late
REPLICA = "replica"
NONE_HELD = "no such record is held"  # a start has retried all


class Trial:
    """One system, and the load on it."""

    def __init__(self, site: Site, service: str, seed: int, *, is_broken: bool) -> None:
        self._site = site
        self._service = service
        self._seed = seed
        self._is_broken = is_broken
        self._history = site.folder / "history.jsonl"
        self._stimuli = Stimuli(site)
        self._admin = KafkaAdmin(site.settings.client, "trial")
        self._chances: Mapping[Chance, Callable[[], Coroutine[Any, Any, None]]] = {
            Chance.KILL: self._kill,
            Chance.PAUSE: self._pause,
            Chance.REPLICA: self._replica,
            Chance.NEWER: partial(self._published, self._stimuli.publish_newer),
            Chance.TOMBSTONE: partial(self._published, self._stimuli.publish_tombstone),
            Chance.POISON: partial(self._published, self._stimuli.publish_poison),
        }
        self._afterwards: Mapping[Chance, Callable[[], Coroutine[Any, Any, None]]] = {
            Chance.LATE: self._begin,
            Chance.REPUBLISH: self._republish,
            Chance.RETRY: self._retry,
            Chance.RESTART: self._restart,
        }

    def anomalies(self, *chances: Chance) -> set[str]:
        """Play a campaign and return the names of what is found afterwards."""
        asyncio.run(self._play(chances))
        more = {"notification_database": self._site.url("notification"), "takeovers": True}
        compared = msgspec.structs.replace(self._site.compared(), **more)
        outcome = settled(partial(collection.collected, compared, list(read(self._history))), WITHIN_S)
        for one in outcome:
            for finding in (one.findings or ())[:3]:
                print(one.check.name, finding.what)  # noqa: T201  # shown for a test that fails
        return {one.check.name for one in outcome if one.findings}

    async def _play(self, chances: tuple[Chance, ...]) -> None:
        async with aiohttp.ClientSession() as session:
            with recording(self._history) as recorder:
                generator = self._generator(session, recorder, "bugs")
                if Chance.LATE in chances:
                    await asyncio.to_thread(self._site.system.stop, self._service)
                await generator.populate(USERS, CONCURRENCY)
                mix = Mix(USERS, random.Random(self._seed))  # no secret
                if Chance.BACKUP in chances:
                    await self._go_back(generator, mix)
                try:
                    await self._break(generator, mix, chances)
                except* RefusedError:  # a bug may lose the user whom a command is about
                    if not self._is_broken:
                        raise
        for chance in chances:
            if chance in self._afterwards:
                await self._afterwards[chance]()

    async def _break(self, generator: Generator, mix: Mix, chances: tuple[Chance, ...]) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(_load(generator, mix))
            for chance in chances:
                if chance in self._chances:
                    group.create_task(self._chances[chance]())

    async def _kill(self) -> None:
        for _ in range(KILLS):
            await asyncio.sleep(BETWEEN_S)
            self._site.system.kill(self._service)
            self._site.system.start(self._service)
            await self._ready(self._service)

    async def _pause(self) -> None:
        await asyncio.sleep(AWAY_S)
        pid = self._site.system.process(self._service).pid
        os.kill(pid, signal.SIGSTOP)
        try:
            await asyncio.sleep(PAUSED_S)
        finally:
            os.kill(pid, signal.SIGCONT)
        async with aiohttp.ClientSession() as session:
            await self._more(session)

    async def _more(self, session: aiohttp.ClientSession) -> None:
        with recording(self._history) as recorder:
            await self._generator(session, recorder, "more").populate(4 * USERS, CONCURRENCY)

    def _generator(self, session: aiohttp.ClientSession, recorder: Recorder | None, run: str) -> Generator:
        url = f"http://{HOST}:{self._site.settings.port('user')}"
        return Generator(UserApi(session, url, ANSWER_S, recorder), f"{run}-{self._seed}", self._seed)

    async def _replica(self) -> None:
        self._site.system.start(REPLICA)
        await self._ready(REPLICA)
        async with aiohttp.ClientSession() as session:
            await self._more(session)

    async def _published(self, publish: Callable[[], None]) -> None:
        for _ in range(POISONS):
            await asyncio.sleep(SECONDS / (POISONS + 1))
            await asyncio.to_thread(publish)

    async def _go_back(self, generator: Generator, mix: Mix) -> None:
        """Put a copy of the store in its place that is older than what was published since."""
        await asyncio.to_thread(self._site.system.stop, self._service)
        store = Path(self._site.url(self._service).removeprefix("sqlite:///"))
        kept = Path(shutil.copy(store, store.with_suffix(".backup")))
        await self._begin()
        await _load(generator, mix)
        await asyncio.to_thread(self._site.system.stop, self._service)
        await asyncio.to_thread(_put_back, kept, store)
        await self._begin()

    async def _begin(self) -> None:
        self._site.system.start(self._service)
        await self._ready(self._service)

    async def _restart(self) -> None:
        await asyncio.to_thread(self._site.system.stop, self._service)
        await self._begin()
        await asyncio.sleep(4.0)
        await self._console(self._service, *RETRY_HELD, "parked")  # those that the start itself was too early for

    async def _retry(self) -> None:
        await self._console(self._service, *RETRY_HELD, "dead")

    async def _republish(self) -> None:
        """Let the relay publish everything again, and wait until notification has consumed it."""
        notices = partitions_of(USER_NOTICES.name, USER_NOTICES.partitions)
        before = sum(self._admin.ends(notices).values())
        await self._console("user", "relay", "republish", "--from", "1", "--yes")
        await asyncio.to_thread(until, "notices again", lambda: sum(self._admin.ends(notices).values()) >= 2 * before)
        await asyncio.to_thread(until, "no lag", lambda: not any(one.records for one in lags(self._admin, unasked)))

    async def _console(self, service: str, *arguments: str) -> None:
        code, output = await asyncio.to_thread(console, {"APP_DATABASE_URL": self._site.url(service)}, *arguments)
        assert code == 0 or NONE_HELD in output, output

    async def _ready(self, name: str) -> None:
        await asyncio.to_thread(self._site.system.wait_ready, READY_S, name)


@contextmanager
def trial(folder: Path, bug: Bug | None, seed: int, service: str = "user") -> Iterator[Trial]:
    """Yield a trial of a system whose service has a bug; it is killed at the end."""
    settings = settings_on_free_ports(users=1)
    urls = {name: f"sqlite:///{folder}/{name}.db" for name in WITH_API}
    programs = own_programs(settings, folder, urls)
    service = bug.service if bug else service
    if bug:
        programs[service] = _planted(programs[service], bug)
    programs[REPLICA] = _replica(programs[service], folder)
    with started([*programs.values()], settings, folder) as site:
        yield Trial(site, service, seed, is_broken=bug is not None)


def _planted(program: Program, bug: Bug) -> Program:
    python, dash_m, module = program.argv
    return msgspec.structs.replace(program, argv=(python, dash_m, *through(bug.name), module))


def _replica(program: Program, folder: Path) -> Program:
    http, metrics = free_ports(2)
    own = {"APP_HTTP_PORT": str(http), "APP_METRICS_PORT": str(metrics)}
    environment = {**program.environment, **own}
    variables = {name: value for name, value in environment.items() if name.startswith("APP_")}
    replica = service_program(program.name, variables, folder)
    return msgspec.structs.replace(replica, name=REPLICA, argv=program.argv, log=folder / "replica.log")


async def _load(generator: Generator, mix: Mix) -> None:
    await generator.play(mix.plan(RATE, SECONDS), SECONDS, lambda *_: None)


def _put_back(kept: Path, store: Path) -> None:
    for suffix in ("-wal", "-shm"):
        Path(f"{store}{suffix}").unlink(missing_ok=True)
    shutil.copy(kept, store)
