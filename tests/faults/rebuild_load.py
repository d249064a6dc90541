"""A load with clients that remember versions, played at a system while something else goes on, and its effects."""

import asyncio
import contextlib
import itertools
import os
import random
from collections.abc import Callable, Sequence

import aiohttp
import msgspec

from services.chassis.kafka.admin import KafkaAdmin
from services.console.lag import event_partitions
from services.contracts.catalog import OPERATIONS
from services.workbench.api_clients import api_session
from services.workbench.demo.client import UserApi
from services.workbench.demo.counting import Line
from services.workbench.demo.driver import Accepted
from services.workbench.demo.observation import AuditTrail, Inbox, Log
from services.workbench.demo.watch import Watch
from services.workbench.load.effects import Effects
from services.workbench.load.generator import Generator
from services.workbench.load.mix import Mix
from services.workbench.local.system import MAILS
from services.workbench.local.trial import PATIENCE_S, Trial

USERS = 200  # registered before anything else goes on
# A second: 12 commands and reads of the mix, and two reads in each pause of each client: 30 requests. REBUILD_LOAD=70
# makes 100 of it, which takes six minutes for both databases.
RATE, CHUNK_S = float(os.environ.get("REBUILD_LOAD", "12")), 1.0
CLIENTS, PAUSE_S = 3, 0.33


class Client:
    """Reads users from the user service and from notification's replica; the version of a user must never go back."""

    def __init__(self, session: aiohttp.ClientSession, run: Trial, accepted: Sequence[Accepted], number: int) -> None:
        self._session = session
        self._users, self._notices = run.url("user"), run.url("notification")
        self._accepted = accepted
        self._chance = random.Random(number)
        self._newest: dict[str, int] = {}  # by URL
        self.reads = 0
        self.problems: list[str] = []

    async def run(self) -> None:
        """Read until cancelled."""
        while True:
            command = self._chance.choice(self._accepted)
            await self._read(f"{self._users}/users/{command.user_id}", "version", command.version)
            await self._read(f"{self._notices}/notifications?limit=1&user_id={command.user_id}", "user_version", 0)
            await asyncio.sleep(PAUSE_S)

    async def _read(self, url: str, field: str, answered: int) -> None:
        """Read a user. A command that was answered before with a version is in what is read."""
        least = max(answered, self._newest.get(url, 0))
        try:
            async with self._session.get(url) as response:
                body = await response.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            self.problems.append(f"{url}: {error!r}")
            return
        self.reads += 1
        version = msgspec.json.decode(body).get(field, -1) if response.ok else -1
        if version < least:
            self.problems.append(f"{url}: {response.status}, version {version} after {least}")
        self._newest[url] = max(version, least)


class Played(msgspec.Struct, frozen=True):
    """A load: its requests, those that failed or were answered with an older version, and the counts of effects."""

    requests: int
    problems: list[str]
    lines: Sequence[Line]
    longest_s: float
    operations: int  # records on the topic of operators' actions


class _WatchOfFacts(Watch):
    def lines(self) -> list[Line]:
        return [line for line in super().lines() if line.place != OPERATIONS.name]


async def play(run: Trial, meanwhile: Callable[[], None]) -> Played:
    """Load until `meanwhile` ends, which runs in a thread; then wait for all effects."""
    starts = KafkaAdmin(run.settings.client, "test").ends(event_partitions())
    with contextlib.closing(Log(run.settings.client, "test", starts)) as log:
        async with api_session() as session:
            trail = AuditTrail(session, run.url("audit"), starts)
            effects = Effects(_WatchOfFacts(0, log, Inbox(run.folder / MAILS), trail), log, PATIENCE_S)
            generator = Generator(UserApi(session, run.url("user"), PATIENCE_S), "swap", seed=1)
            await generator.populate(USERS, concurrency=8)
            clients = [Client(session, run, generator.accepted, number) for number in range(CLIENTS)]
            seconds, failed = await _loaded(generator, clients, asyncio.create_task(asyncio.to_thread(meanwhile)))
            return Played(
                requests=len(seconds) + sum(client.reads for client in clients),
                problems=failed + [problem for client in clients for problem in client.problems],
                lines=await effects.wait(generator.accepted),
                longest_s=max(seconds),
                operations=len(log.seen[OPERATIONS.name]),
            )


async def _loaded(
    generator: Generator, clients: Sequence[Client], other: asyncio.Task[None]
) -> tuple[list[float], list[str]]:
    mix, seconds, failed = Mix(USERS, random.Random(1)), list[float](), list[str]()
    reading = [asyncio.create_task(client.run()) for client in clients]
    for _ in itertools.takewhile(lambda _: not other.done(), itertools.count()):
        measured = await generator.play(mix.plan(RATE, CHUNK_S), CHUNK_S, lambda *_: None)
        seconds += [sample.seconds for sample in measured.samples]
        failed += [f"{sample.kind}: {sample.error}" for sample in measured.samples if sample.error]
    for task in reading:
        task.cancel()
    await asyncio.wait(reading)
    await other
    return seconds, failed
