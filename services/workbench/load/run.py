"""A load from beginning to end: a population, the open loop, the wait for its effects, the figures."""

import contextlib
import random
import time
from collections.abc import AsyncIterator, Mapping

import aiohttp
import msgspec

from services.chassis.kafka.admin import KafkaAdmin
from services.console.lag import event_partitions
from services.workbench.api_clients import api_session
from services.workbench.demo.client import UserApi
from services.workbench.demo.counting import percentiles
from services.workbench.demo.display import Display
from services.workbench.demo.observation import AuditTrail, Inbox, Log
from services.workbench.demo.watch import Watch
from services.workbench.load import outcome
from services.workbench.load.effects import Effects
from services.workbench.load.generator import Generator
from services.workbench.load.mix import Mix
from services.workbench.load.outcome import Outcome
from services.workbench.load.target import Target
from services.workbench.reconcile.history import Recorder
from services.workbench.settings import WorkbenchSettings
from services.workbench.usage import Usage, too_large

CONNECTIONS = 256  # beyond it requests wait here, which their latency counts
IDLE_S = (
    2.5  # a connection idle for longer is not used again: a service that stops cuts idle ones after its drain delay
)


class Pace(msgspec.Struct, frozen=True):
    """How many requests a second, and for how long."""

    rate: float
    seconds: float


class Population(msgspec.Struct, frozen=True):
    """How many users there are at first; the run's name and the seed determine their names and actions."""

    users: int
    run: str
    seed: int


class Load:
    """A population at a target, which can be loaded again and again; each load is counted with all before it."""

    def __init__(self, generator: Generator, mix: Mix, effects: Effects, display: Display) -> None:
        self._generator = generator
        self._mix = mix
        self._effects = effects
        self._display = display

    async def play(self, pace: Pace, target: Target, session: aiohttp.ClientSession) -> Outcome:
        """Load, wait for the effects, and return the figures."""
        known, before = len(self._generator.accepted), await target.used(session)
        plan = self._mix.plan(pace.rate, pace.seconds)

        def tell(sent: int, answered: int) -> None:
            target.require_running()
            counts = {"sent": (sent, len(plan)), "answered": (answered, len(plan))}
            self._display.update({f"{pace.rate:,.0f}/s {name}": count for name, count in counts.items()})

        measured = await self._generator.play(plan, pace.seconds, tell)
        ended, commands = time.monotonic(), self._generator.accepted[known:]
        lines = await self._effects.wait(self._generator.accepted)
        after = await target.used(session)
        return Outcome(
            offered=outcome.offered(measured),
            achieved=outcome.achieved(measured),
            requests=len(measured.samples),
            commands=len(commands),
            answers=outcome.answers(measured),
            intents=percentiles(self._effects.intents(commands), outcome.RANKS),
            mails=percentiles(self._effects.mails(commands), outcome.RANKS),
            errors=outcome.errors(measured),
            settling=time.monotonic() - ended,
            cpu_per_command=_per_command(before, after, len(commands)),
            resident={part: usage.resident for part, usage in after.items()},
            lines=lines,
            problems=too_large(after),
        )


class Play(msgspec.Struct, frozen=True):
    """A load that is ready, and where it goes."""

    load: Load
    target: Target
    session: aiohttp.ClientSession

    async def at(self, pace: Pace) -> Outcome:
        """Return the outcome of one load."""
        return await self.load.play(pace, self.target, self.session)


@contextlib.asynccontextmanager
async def populated(
    target: Target,
    settings: WorkbenchSettings,
    population: Population,
    display: Display,
    recorder: Recorder | None = None,
) -> AsyncIterator[Play]:
    """Yield a load whose population is registered, with all that follows from it; record its requests.

    Raises RefusedError.
    """
    patience, run = settings.deadline.total_seconds(), population.run
    starts = KafkaAdmin(target.kafka, "console").ends(event_partitions())
    connector = aiohttp.TCPConnector(limit=CONNECTIONS, keepalive_timeout=IDLE_S)
    with contextlib.closing(Log(target.kafka, f"console-{run}", starts)) as log:
        async with api_session(connector=connector) as session:
            trail = AuditTrail(session, target.audit_url, starts)
            effects = Effects(Watch(0, log, Inbox(target.mails), trail), log, patience)
            generator = Generator(UserApi(session, target.user_url, patience, recorder), run, population.seed)
            await generator.populate(population.users, settings.concurrency)
            await effects.wait(generator.accepted)
            display.say(f"registered {population.users:,} users, of whom the load draws")
            mix = Mix(population.users, random.Random(population.seed))  # noqa: S311  # seeded, not secret
            yield Play(Load(generator, mix, effects, display), target, session)


def _per_command(before: Mapping[str, Usage], after: Mapping[str, Usage], commands: int) -> dict[str, float]:
    return {
        part: (usage.cpu_seconds - before[part].cpu_seconds) / max(commands, 1)
        for part, usage in after.items()
        if part in before
    }
