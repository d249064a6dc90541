"""`make run`: the whole system on this machine until Ctrl-C; its state is kept from run to run."""

import asyncio
import contextlib
import time
from collections.abc import Mapping
from pathlib import Path

import aiohttp
from rich.console import Console, RenderableType
from rich.live import Live
from rich.table import Table

from services.chassis.kafka.admin import BrokerUnavailableError, KafkaAdmin
from services.console.lag import lags, unasked
from services.workbench.live.status import Moment, rows
from services.workbench.local.lifecycle import Lifecycle
from services.workbench.local.ports import HOST
from services.workbench.local.system import JOBS, MAILS, SERVICES, System, local_programs, require_ports
from services.workbench.scrape import scrape
from services.workbench.settings import WorkbenchSettings
from services.workbench.usage import of_system

LOOK_SECONDS = 1.0
LINES_SECONDS = 5.0  # between plain lines, for logs to stay short


class Run:
    """A system that stays up, and what a person sees of it."""

    def __init__(self, settings: WorkbenchSettings, console: Console, state: str = "run") -> None:
        self._settings = settings
        self._console = console
        self._folder = settings.folder(state)
        client = settings.client
        self._topics = KafkaAdmin(client, "console")
        self._mails = MailCount(self._folder / MAILS)

    def stay(self) -> list[str]:
        """Start everything, stay up until Ctrl-C or SIGTERM, stop in order; return what went wrong at the end.

        Raises what starting raises, and ProcessError when a part dies meanwhile.
        """
        require_ports(self._settings)
        self._settings.note_running(self._folder)
        with System(local_programs(self._settings, self._folder)) as system:
            life = Lifecycle(system, self._settings, self._say)
            try:
                life.start(JOBS)
                self._say(self._links())
                asyncio.run(self._watch(system))
            except KeyboardInterrupt:
                self._say("stopping in order; once more Ctrl-C kills")
            life.end()
        return life.problems

    async def _watch(self, system: System) -> None:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(LOOK_SECONDS)) as session:
            now = await self._look(system, session)
            if not self._console.is_terminal:
                await self._tell(system, session, now)
            with Live(console=self._console, auto_refresh=False, transient=True) as live:
                while True:
                    before, now = now, await self._look(system, session)
                    live.update(_table(before, now), refresh=True)
                    await asyncio.sleep(LOOK_SECONDS)

    async def _tell(self, system: System, session: aiohttp.ClientSession, now: Moment) -> None:
        while True:
            await asyncio.sleep(LINES_SECONDS)
            before, now = now, await self._look(system, session)
            self._say("; ".join(f"{name}: {text}" for name, text in rows(before, now)))

    async def _look(self, system: System, session: aiohttp.ClientSession) -> Moment:
        system.require_running()
        try:
            behind = await asyncio.to_thread(lags, self._topics, unasked)
        except BrokerUnavailableError:
            behind = None
        return Moment(
            at=time.monotonic(),
            metrics={name: await self._scrape(session, name) for name in SERVICES},
            lags=behind,
            mails=self._mails.read(),
            used=of_system(system, *system.running),
        )

    async def _scrape(self, session: aiohttp.ClientSession, name: str) -> Mapping[str, float]:
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):  # busy; a dead one is noticed as a process
            return await scrape(session, f"http://{HOST}:{getattr(self._settings, f'{name}_metrics_port')}")
        return {}

    def _links(self) -> str:
        ports = {
            name: (getattr(self._settings, f"{name}_port"), getattr(self._settings, f"{name}_metrics_port"))
            for name in SERVICES
        }
        lines = [
            f"  {name:13} API http://{HOST}:{port}  docs http://{HOST}:{port}/schema  metrics http://{HOST}:{metrics}/metrics"
            for name, (port, metrics) in ports.items()
        ]
        kept = f"  broker {self._settings.bootstrap_servers}; state, logs and mails are kept in {self._folder}"
        return "\n".join([*lines, kept, "  up until Ctrl-C"])

    def _say(self, text: str) -> None:
        self._console.print(text, highlight=False, soft_wrap=True)


class MailCount:
    """Counts the lines of a file that grows, reading each only once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read = 0
        self._lines = 0

    def read(self) -> int:
        """Return how many whole lines the file has by now."""
        if self._path.exists():
            with self._path.open("rb") as file:
                file.seek(self._read)
                added = file.read()
            self._read += len(added)
            self._lines += added.count(b"\n")
        return self._lines


def _table(before: Moment, now: Moment) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    for name, text in rows(before, now):
        table.add_row(f"  {name}", text)
    return table
