"""A visit of a revision: its whole system starts, is loaded slowly, idles, is loaded to its maximum, then steadily."""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path

import msgspec
from rich.console import Console

from services.contracts.service_list import SERVICES
from services.workbench.bench.outcome import Say
from services.workbench.bench.revisions.tree import Tree
from services.workbench.demo.display import Display
from services.workbench.load.maximum_rate import At, maximum_rate
from services.workbench.load.outcome import Outcome
from services.workbench.load.run import Pace, Play, Population, populated
from services.workbench.load.target import Target, of_local
from services.workbench.local.lifecycle import Lifecycle
from services.workbench.local.system import System, local_programs
from services.workbench.local.trial import settings_on_free_ports
from services.workbench.settings import WorkbenchSettings

SHARE = 0.7  # of the earlier revision's maximum
SLOW = 1.0  # requests a second
HALVINGS = 5  # of the first rate of a search
USERS = 500
TICK_S = 0.01  # the processor time of /proc is counted in these


class VisitError(Exception):
    """A revision could not be measured, or something is missing or repeated; the message has what was seen."""


class Durations(msgspec.Struct, frozen=True):
    """Seconds of idling and of the slow load, of each step of the search, and of the steady load."""

    slow: float
    step: float
    steady: float


class Visit(msgspec.Struct, frozen=True):
    """Measurements of one visit. `idle` is seconds of processor time per second, `maximum` requests a second."""

    slow: Outcome
    idle: Mapping[str, float]
    maximum: float
    steady: Outcome


class Search(msgspec.Struct, frozen=True):
    """The first rate of the search, and the maximum that the steady load is a share of: its own without one."""

    first: float
    reference: float | None


def visit(tree: Tree, search: Search, durations: Durations, say: Say) -> Visit:
    """Measure a revision on an empty log and empty stores. Raises VisitError, and what starting raises."""

    def tell(what: str) -> None:
        say(f"{tree.name}: {what}")

    tell("start")
    with _started(tree) as started:
        return asyncio.run(_measured(started, search, _Course(durations, tell)))


class _Started(msgspec.Struct, frozen=True):
    target: Target
    settings: WorkbenchSettings


class _Course(msgspec.Struct, frozen=True):
    durations: Durations
    tell: Say


@contextlib.contextmanager
def _started(tree: Tree) -> Iterator[_Started]:
    settings = settings_on_free_ports(users=1)
    with tempfile.TemporaryDirectory(prefix="eventline-bench-") as name:
        folder = Path(name)
        programs = local_programs(settings, folder)
        # Broker and mail sink are this folder's for both: what differs is the services.
        with System([tree.run(one) if one.name in SERVICES else one for one in programs]) as system:
            Lifecycle(system, settings).start()
            yield _Started(of_local(system, settings, folder, []), settings)


async def _measured(started: _Started, search: Search, course: _Course) -> Visit:
    async with _populated(started) as play:
        slow = await _at(play, Pace(SLOW, course.durations.slow), course.tell)
        course.tell("idle")
        idle = await _idle(play, course.durations.slow)
        maximum = await _maximum(search.first, play, course)
        rate = SHARE * (search.reference or maximum)
        steady = await _at(play, Pace(rate, course.durations.steady), course.tell)
    return Visit(slow, idle, maximum, steady)


@contextlib.asynccontextmanager
async def _populated(started: _Started) -> AsyncIterator[Play]:
    with Display(Console(quiet=True)) as display:
        async with populated(started.target, started.settings, Population(USERS, "bench", 1), display) as play:
            yield play


async def _at(play: Play, pace: Pace, tell: Say) -> Outcome:
    tell(f"{pace.rate:,.0f} requests/s")
    outcome = await play.at(pace)
    if wrong := outcome.wrong():
        raise VisitError("\n".join([f"at {pace.rate:,.0f} requests/s:", *wrong]))
    return outcome


async def _idle(play: Play, seconds: float) -> dict[str, float]:
    before = await play.target.used(play.session)
    await asyncio.sleep(seconds)
    after = await play.target.used(play.session)
    return {name: max(after[name].cpu_seconds - before[name].cpu_seconds, TICK_S) / seconds for name in SERVICES}


async def _maximum(first: float, play: Play, course: _Course) -> float:
    async def at(rate: float) -> Outcome:
        return await _at(play, Pace(rate, course.durations.step), course.tell)

    return await lowered(first, at)


async def lowered(first: float, at: At) -> float:
    """Return the maximum sustainable rate; the search begins lower where not even the first rate is kept.

    Raises VisitError.
    """
    for halving in range(HALVINGS + 1):
        if found := await maximum_rate(first / 2**halving, at):
            return found
    raise VisitError(f"not even {first / 2**HALVINGS:,.0f} requests/s were kept: is the machine busy?")
