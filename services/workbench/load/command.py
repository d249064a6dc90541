"""The command `load`: one load, the search for the maximum sustainable rate, or a load at a share of it."""

import asyncio
import os
import sys
import uuid

import msgspec
from rich.console import Console

from services.chassis.settings.environment import load as load_settings
from services.console.failures import WRONG
from services.workbench.demo.display import Display
from services.workbench.failures import reported
from services.workbench.load.maximum_rate import At, maximum_rate
from services.workbench.load.options import LOAD_SECONDS, STEP_SECONDS, LoadOptions
from services.workbench.load.outcome import Outcome
from services.workbench.load.report import print_outcome, step_line
from services.workbench.load.run import Pace, Play, Population, populated
from services.workbench.load.target import Target, target
from services.workbench.reconcile.history import recording
from services.workbench.settings import WorkbenchSettings


class Result(msgspec.Struct, frozen=True):
    """The report of `--json`. `max_rate` is a rate, 0 when not even the first step was kept, null when not looked for.

    `steps` are the outcomes on the way to it; `last` is what was loaded last.
    """

    max_rate: float | None
    steps: list[Outcome]
    last: Outcome


def load(options: LoadOptions) -> None:
    """Offer requests at a rate, whatever the answers take (an open loop), and count what became of them."""
    console = Console()
    with reported():
        settings = load_settings(WorkbenchSettings, os.environ)
        with Display(console) as display, target(settings, options, display.say) as target_:
            result = asyncio.run(_play(target_, settings, options, display))
    last = msgspec.structs.replace(result.last, problems=[*result.last.problems, *target_.problems])
    print_outcome(console, last, result.max_rate)
    if options.json:
        options.json.write_bytes(msgspec.json.format(msgspec.json.encode(result)))
    sys.exit(WRONG if last.wrong() else 0)


async def _play(target_: Target, settings: WorkbenchSettings, options: LoadOptions, display: Display) -> Result:
    population = Population(options.population, f"load-{uuid.uuid4().hex[:8]}", options.seed)
    with recording(options.history) as recorder:
        async with populated(target_, settings, population, display, recorder) as play:
            return await _played(play, options, display)


async def _played(play: Play, options: LoadOptions, display: Display) -> Result:
    if not options.max_rate and options.of_max_rate is None:
        return Result(None, [], await play.at(Pace(options.rate, options.seconds or LOAD_SECONDS)))
    steps: list[Outcome] = []
    found = await maximum_rate(options.rate, _step(play, options, steps, display))
    if options.of_max_rate is None or not found:
        return Result(found, steps, steps[-1])
    return Result(found, steps, await play.at(Pace(found * options.of_max_rate, options.seconds or LOAD_SECONDS)))


def _step(play: Play, options: LoadOptions, steps: list[Outcome], display: Display) -> At:
    seconds = STEP_SECONDS if options.of_max_rate is not None else options.seconds or STEP_SECONDS

    async def at(rate: float) -> Outcome:
        steps.append(await play.at(Pace(rate, seconds)))
        display.say(step_line(steps[-1]))
        return steps[-1]

    return at
