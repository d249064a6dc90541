"""The command `break`: causes a fault in the running system, shows it while it lasts, and prints what became of it."""

import asyncio
import contextlib
import os
import random
import signal
import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.status import Status as Spinner
from rich.table import Table

from services.chassis.settings.environment import duration
from services.chassis.settings.environment import load as load_settings
from services.chassis.telemetry import logs
from services.console.failures import WRONG, UsageError
from services.workbench.failures import reported
from services.workbench.faults.breaker import Status
from services.workbench.faults.poison import POISONS
from services.workbench.faults.systems import AnyBreaker, running
from services.workbench.faults.table import VERBS, Fault, named, pick
from services.workbench.settings import WorkbenchSettings

HEAL, LIST = "heal", "list"
POLL_S, LINE_EVERY_S = 0.25, 5.0
SEEDS = 10_000


def break_(
    verb: Annotated[str | None, typer.Argument(help=f"{', '.join(VERBS)}, {HEAL} or {LIST}.")] = None,
    target: Annotated[
        str | None, typer.Argument(help=f"A part or a kind of record; `break {LIST}` shows them.")
    ] = None,
    lasts: Annotated[str, typer.Option("--for", help="How long, such as 10s or 2m.")] = "10s",
    seed: Annotated[int | None, typer.Option(min=0, help="Chooses a verb or target that is not named.")] = None,
) -> None:
    """Break the running system on purpose, and count what becomes of commands that are sent meanwhile."""
    console = Console()
    logs.configure("break", "error")  # a client's warnings of an outage would disturb the display
    with reported():
        if verb == LIST:
            console.print(_table())
            return
        chosen = random.randrange(SEEDS) if seed is None else seed  # noqa: S311  # no secret
        code = asyncio.run(_act(console, verb, target, _seconds(lasts), chosen))
    sys.exit(code)


def _seconds(text: str) -> float:
    try:
        return duration(text).total_seconds()
    except ValueError as error:
        raise UsageError(f"--for {text!r} {error}") from None


async def _act(console: Console, verb: str | None, target: str | None, seconds: float, seed: int) -> int:
    if verb is not None and target is not None:
        named(verb, target)  # before a system is looked for
    async with running(load_settings(WorkbenchSettings, os.environ), os.environ) as (name, breaker):
        console.print(f"using {name}", highlight=False)
        if verb == HEAL:
            console.print(f"healed: {', '.join(await breaker.heal()) or 'nothing was broken'}", highlight=False)
            return 0
        fault = await _chosen(console, breaker, verb, target, seed)
        number = await breaker.begin(fault, seconds)
        meaning = f"{VERBS[fault.verb].meaning}; Ctrl-C heals it now"
        console.print(f"{fault.name} for {fault.lasting(seconds):g} s: {meaning}", highlight=False, soft_wrap=True)
        status = await Watch(console, breaker).until_reported(number)
    for heading, text in status.report:
        console.print(f"  {heading:13} {text}", highlight=False, soft_wrap=True)
    return 0 if status.is_right else WRONG


async def _chosen(console: Console, breaker: AnyBreaker, verb: str | None, target: str | None, seed: int) -> Fault:
    if verb is not None and target is not None:
        return named(verb, target)
    fault = pick((await breaker.status()).possible, verb, seed)
    console.print(f"seed {seed} chooses: {fault.name}", highlight=False)
    return fault


class Watch:
    """Shows a fault until its report is there. The first Ctrl-C heals, the second does not wait for the report."""

    def __init__(self, console: Console, breaker: AnyBreaker) -> None:
        self._console = console
        self._breaker = breaker
        self._interrupts = 0
        self._interrupted = asyncio.Event()
        self._shown = 0.0

    async def until_reported(self, number: int) -> Status:
        """Return the status that has the report. Raises KeyboardInterrupt at the second Ctrl-C."""
        loop = asyncio.get_running_loop()
        for each in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(each, self._interrupt)
        with Spinner("", console=self._console) as spinner:
            while (status := await self._breaker.status()).reported < number:
                self._show(spinner, _line(status))
                await self._pause()
        return status

    def _interrupt(self) -> None:
        self._interrupts += 1
        self._interrupted.set()

    async def _pause(self) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._interrupted.wait(), POLL_S)
            self._interrupted.clear()
            if self._interrupts > 1:
                raise KeyboardInterrupt
            await self._breaker.heal()

    def _show(self, spinner: Spinner, text: str) -> None:
        spinner.update(text)
        now = asyncio.get_running_loop().time()
        if not self._console.is_terminal and now - self._shown >= LINE_EVERY_S:
            self._shown = now
            self._console.print(f"  {text}", highlight=False, soft_wrap=True)


def _line(status: Status) -> str:
    broken = [f"{one.name}: heals in {one.heals_in_s:.0f} s" for one in status.broken]
    return f"{', '.join(broken) or 'healed, waiting for the last effects'}; {status.progress}"


def _table() -> Table:
    table = Table.grid(padding=(0, 2))
    for verb, known in VERBS.items():
        table.add_row(f"  {verb}", ", ".join(known.targets), known.meaning)
    for kind, poison in POISONS.items():
        table.add_row("  poison", kind, poison.meaning)
    table.add_row("  heal", "", "ends every fault now, and starts what an interrupted command has left broken")
    return table
