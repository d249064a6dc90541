"""A campaign: an open loop of requests, the faults of its schedule, and what came of both, second by second."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import aiohttp
import msgspec

from services.chassis.kafka.admin import BrokerUnavailableError, KafkaAdmin, TopicsError
from services.chassis.kafka.settings import KafkaSettings
from services.console.lag import lags, unasked
from services.workbench.api_clients import api_session
from services.workbench.chaos.schedule import Planned, schedule
from services.workbench.chaos.site import Site
from services.workbench.demo.client import UserApi
from services.workbench.load.generator import Generator, Sample
from services.workbench.load.mix import Mix
from services.workbench.load.run import CONNECTIONS, IDLE_S
from services.workbench.reconcile.history import Recorder

CONCURRENCY = 16
PATIENCE_S = 180.0  # for a command, then its outcome counts as unknown: longer than any fault, and the start behind it
LAG_S = 1.0


class Size(msgspec.Struct, frozen=True):
    """Requests a second, seconds, faults, and users who are registered before."""

    rate: float
    seconds: float
    faults: int
    users: int


class Broken(msgspec.Struct, frozen=True):
    """A fault that was caused: its name, and the seconds from the start of the load to its begin and end."""

    name: str
    began: float
    ended: float


class Second(msgspec.Struct, frozen=True):
    """One second: requests that were answered, attempts without an answer, and the largest lag in records."""

    answered: int
    unanswered: int
    lag: int


class Played(msgspec.Struct, frozen=True):
    """The course of a campaign: commands and requests, registrations before it included, faults, and each second.

    `unknown` commands were never answered: the checks allow that they were carried out, and that they were not.
    """

    commands: int
    unknown: int
    requests: int
    faults: Sequence[Broken]
    seconds: Sequence[Second]


class Campaign:
    """Loads a site and breaks it meanwhile; every request is recorded."""

    def __init__(self, site: Site, size: Size, seed: int, tell: Callable[[str], None]) -> None:
        self._site = site
        self._size = size
        self._seed = seed
        self._tell = tell
        self._lag: Counter[int] = Counter()
        self._broken: list[Broken] = []
        self._start = 0.0

    async def play(self, recorder: Recorder | None, run: str) -> Played:
        """Play it. Raises RefusedError, FaultError, and what the site's parts raise."""
        planned = schedule(self._site.injector.possible(), self._seed, self._size.faults, self._size.seconds)
        connector = aiohttp.TCPConnector(limit=CONNECTIONS, keepalive_timeout=IDLE_S)
        async with api_session(connector=connector) as session:
            api = UserApi(session, self._site.user_url, PATIENCE_S, recorder)
            generator = Generator(api, run, self._seed, unknown_allowed=True)
            await generator.populate(self._size.users, CONCURRENCY)
            mix = Mix(self._size.users, random.Random(self._seed))  # noqa: S311  # seeded, not secret
            plan = mix.plan(self._size.rate, self._size.seconds)
            self._start = time.monotonic()
            sampling = asyncio.create_task(self._sample_lag(self._site.evidence.kafka))
            breaking = asyncio.create_task(self._break(planned))
            try:
                measured = await generator.play(plan, self._size.seconds, self._show)
                await breaking
            finally:
                for task in (sampling, breaking):
                    task.cancel()
                await self._site.injector.close()
        requests = self._size.users + len(measured.samples)
        seconds = self._by_second(measured.samples)
        return Played(len(generator.accepted), generator.unknown, requests, self._broken, seconds)

    async def _break(self, planned: Sequence[Planned]) -> None:
        for one in planned:
            await asyncio.sleep(max(0.0, one.at - self._now()))
            began = self._now()
            self._tell(f"{began:5.0f} s  {one.fault.name} for {one.lasts:.1f} s")
            await self._site.injector.begin(one.fault, one.lasts)
            await asyncio.sleep(one.lasts)
            await self._site.injector.close()
            self._broken.append(Broken(one.fault.name, began, self._now()))

    async def _sample_lag(self, kafka: KafkaSettings) -> None:
        admin = KafkaAdmin(kafka, "chaos")
        while True:
            try:
                found = await asyncio.to_thread(lags, admin, unasked)
            except (BrokerUnavailableError, TopicsError):
                pass  # the broker may be the broken part: that second has no lag
            else:
                by_group = Counter[str]()
                for lag in found:
                    by_group[lag.group] += lag.records
                self._lag[int(self._now())] = max(by_group.values(), default=0)
            await asyncio.sleep(LAG_S)

    def _show(self, sent: int, answered: int) -> None:
        """Show nothing: the faults are the progress."""

    def _now(self) -> float:
        return time.monotonic() - self._start

    def _by_second(self, samples: Sequence[Sample]) -> list[Second]:
        answered, unanswered = Counter[int](), Counter[int]()
        for sample in samples:
            counted = unanswered if sample.error else answered
            counted[int(sample.at + sample.seconds)] += 1
        last = max(*answered, *unanswered, *self._lag, 0)
        return [Second(answered[one], unanswered[one], self._lag[one]) for one in range(last + 1)]


def new_history(folder: Path) -> Path:
    """Return the path of an empty history in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "history.jsonl"
    path.unlink(missing_ok=True)
    return path
