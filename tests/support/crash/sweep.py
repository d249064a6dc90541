"""The sweep: one process at a time dies at a durable step under load, is restarted, and the whole is compared."""

import asyncio
import random
import subprocess
import sys
import time
import uuid
from collections.abc import Collection

import aiohttp

from services.workbench.demo.client import UserApi
from services.workbench.load.generator import Generator
from services.workbench.load.mix import Mix
from services.workbench.local.ports import HOST
from services.workbench.local.processes import Process
from services.workbench.local.system import clean_environment
from services.workbench.local.trial import READY_S
from services.workbench.reconcile.checks import CONVERGED_S, checked
from services.workbench.reconcile.collection import collected
from services.workbench.reconcile.history import read, recording
from tests.support.crash import at
from tests.support.crash.points import Point, Reach
from tests.support.crash.site import Site, armed_name
from tests.support.crash.stimuli import Stimuli
from tests.support.killed import KILLED
from tests.support.lost_database import lose
from tests.support.store_effects import problems, value

USERS, CONCURRENCY, RATE, SECONDS = 8, 8, 15.0, 2.0
Case = tuple[Point, str]  # a point, and the moment before or after its step
ANSWER_S, DEATH_S, COMMAND_S = 90.0, 60.0, 60.0
PAUSE_S, COMPARE_S = 0.05, 0.5
BY_ITSELF = {Reach.START, Reach.LOAD, Reach.FORGETTING, Reach.PARKED}


class Sweep:
    """Crashes of one running system. An anomaly counts for the crash after which it was first seen."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._history = site.folder / "history.jsonl"
        self._known: set[str] = set()
        self._stimuli = Stimuli(site)
        self._lost = 0

    async def crash(self, *cases: Case) -> list[str]:
        """Let processes die at their points under load, start them again, and return what is wrong afterwards."""
        for point, when in cases:
            if point.reach is Reach.RESTORE:
                await self._restore(point, when)
        async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
            group.create_task(self._load(session))
            for point, when in cases:
                if point.reach is Reach.REBUILD:
                    group.create_task(self._rebuild(point, when))
                elif point.reach is not Reach.RESTORE:
                    group.create_task(self._die(point, when))
        for point, _ in cases:
            await self._stimuli.finish(point)
        return await asyncio.to_thread(self._wrong, [point.program for point, _ in cases])

    async def _load(self, session: aiohttp.ClientSession) -> None:
        url = f"http://{HOST}:{self._site.settings.port('user')}"
        with recording(self._history) as recorder:
            api = UserApi(session, url, ANSWER_S, recorder)
            run = f"crash-{uuid.uuid4().hex[:8]}"
            generator = Generator(api, run, seed=7)
            await generator.populate(USERS, CONCURRENCY)
            plan = Mix(USERS, random.Random(run)).plan(RATE, SECONDS)  # no secret
            await generator.play(plan, SECONDS, lambda *_: None)

    async def _die(self, point: Point, when: str) -> None:
        system, armed = self._site.system, armed_name(point, when)
        await self._stimuli.prepare(point)
        await asyncio.to_thread(system.stop, point.program)
        system.start(armed)
        try:
            if point.reach not in BY_ITSELF:
                await asyncio.to_thread(system.wait_ready, READY_S, armed)
                await self._stimuli.push(point)
            if point.reach is Reach.STOP:
                system.process(armed).ask_to_stop()
            await _killed(system.process(armed))
        finally:
            system.kill(armed)  # which is dead, unless it never got there
            system.start(point.program)
            await asyncio.to_thread(system.wait_ready, READY_S, point.program)

    async def _rebuild(self, point: Point, when: str) -> None:
        projection = point.arguments[:2]
        for arguments in ((*projection, "--drop-old"), *point.first):
            await self._command(point.program, 0, *arguments)
        await self._command(point.program, KILLED, *point.arguments, through=at.through(when, point.step))
        for arguments in (("--drop-old",), (), ("--drop-old",)):
            await self._command(point.program, 0, *projection, *arguments)

    async def _restore(self, point: Point, when: str) -> None:
        """Lose the database of a service that has published everything, and restore it."""
        async with aiohttp.ClientSession() as session:
            await self._load(session)
        assert await asyncio.to_thread(self._wrong) == []
        service = point.program
        await asyncio.to_thread(self._site.system.stop, service)
        self._lost += 1
        lose(self._site.url(service), f"lost_{service}_{self._lost}")
        try:
            await self._command(service, KILLED, "restore", through=at.through(when, point.step))
            again = await asyncio.to_thread(self._run, service, ("restore",), ())
            stored = value(self._site.url(service), "SELECT last_sequence FROM counter")
            assert again.returncode == 0 or stored, again.stdout + again.stderr
        finally:
            self._site.system.start(service)
            await asyncio.to_thread(self._site.system.wait_ready, READY_S, service)

    async def _command(self, service: str, code: int, *arguments: str, through: tuple[str, ...] = ()) -> None:
        done = await asyncio.to_thread(self._run, service, arguments, through)
        assert done.returncode == code, (arguments, through, done.stdout + done.stderr)

    def _run(
        self, service: str, arguments: tuple[str, ...], through: tuple[str, ...]
    ) -> "subprocess.CompletedProcess[str]":
        argv = (sys.executable, "-m", *through, f"services.{service}", *arguments)
        environment = clean_environment(self._site.environments[service])
        return subprocess.run(argv, env=environment, capture_output=True, text=True, check=False, timeout=COMMAND_S)

    def _wrong(self, services: Collection[str] = ()) -> list[str]:
        """Compare everything after a crash of services. Returns what is wrong now and was not before."""
        found = self._anomalies()
        for service in ("user", "notification"):
            lines = problems(self._site.url(service), service).items()
            found |= {f"{query}: {count}" for query, count in lines}
        if {"audit", "witness"} & {*services}:
            verified = self._run("audit", ("verify",), ())
            found |= {verified.stdout + verified.stderr} if verified.returncode else set()
        new, self._known = sorted(found - self._known), self._known | found
        return new

    def _anomalies(self) -> set[str]:
        compared, operations = self._site.compared(), list(read(self._history))
        deadline = time.monotonic() + CONVERGED_S
        while True:
            outcome = checked(collected(compared, operations))
            found = {f"{one.check.name}: {finding.what}" for one in outcome for finding in one.findings or ()}
            if found <= self._known or time.monotonic() > deadline:
                return found
            time.sleep(COMPARE_S)


async def _killed(process: Process) -> None:
    """Wait until a process has killed itself."""
    deadline = time.monotonic() + DEATH_S
    while (code := process.exit_code()) is None:
        if time.monotonic() > deadline:
            end = process.program.log.read_text()[-2000:]
            raise TimeoutError(f"{process.program.name}: not reached within {DEATH_S:g} s; the log ends with {end}")
        await asyncio.sleep(PAUSE_S)
    assert code == KILLED, process.program.log.read_text()[-2000:]
