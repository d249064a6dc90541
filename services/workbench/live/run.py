"""`make run`: the whole system on this machine until Ctrl-C; its state is kept from run to run."""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

import aiohttp
import msgspec
from rich.console import Console, RenderableType
from rich.live import Live
from rich.table import Table

from services.chassis.kafka.admin import BrokerUnavailableError, KafkaAdmin, TopicsError
from services.chassis.telemetry import logs
from services.console.lag import Lag, lags, unasked
from services.console.settings import OPERATOR_FILE
from services.contracts.service_list import JOBS, SERVICES
from services.workbench.api_clients import api_session
from services.workbench.faults.breaker import Breaker
from services.workbench.faults.conditions.protection import FileProtection
from services.workbench.faults.effects.inboxes import SinkMails
from services.workbench.faults.effects.measurement import Site
from services.workbench.faults.injector import Injector
from services.workbench.faults.local_parts import LocalParts, stores
from services.workbench.live.page import NEWEST_MAILS, Feed, LivePage
from services.workbench.live.status import Moment, rows, snapshot
from services.workbench.local.lifecycle import Lifecycle
from services.workbench.local.ports import HOST
from services.workbench.local.sink import AddedLines, Mail
from services.workbench.local.system import MAILS, System, local_programs, require_ports
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
        self._lags: Sequence[Lag] | None = None
        self._mails = Mails(self._folder / MAILS)

    def stay(self) -> list[str]:
        """Start everything, stay up until Ctrl-C or SIGTERM, stop in order; return what went wrong at the end.

        Raises what starting raises, and ProcessError when a part dies meanwhile.
        """
        logs.configure("run", "error")  # a client's warnings of an outage would disturb the display
        require_ports(self._settings, "page_port")
        self._settings.note_running(self._folder)
        self._settings.leave_operator_login(self._folder)
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
        feed = Feed()
        async with (
            api_session(timeout=aiohttp.ClientTimeout(LOOK_SECONDS)) as session,
            self._breaker(system, session) as breaker,
            LivePage(self._settings, session, feed, breaker, self._mails.newest).served(),
        ):
            asking = asyncio.create_task(self._ask_lags())
            try:
                await self._show(system, session, feed, breaker)
            finally:
                asking.cancel()

    @contextlib.asynccontextmanager
    async def _breaker(self, system: System, session: aiohttp.ClientSession) -> AsyncIterator[Breaker]:
        site = Site(
            name=LocalParts.system,
            user_url=f"http://{HOST}:{self._settings.port('user')}",
            audit_url=f"http://{HOST}:{self._settings.port('audit')}",
            kafka=self._settings.client,
            mails=lambda _: SinkMails(self._folder / MAILS),
        )
        conditions = {"write-protect": FileProtection(stores(self._folder))}
        breaker = Breaker(
            Injector(LocalParts(system, self._folder), self._settings.administrator, conditions), site, session
        )
        try:
            yield breaker
        finally:
            await breaker.close()  # a paused process would not end

    async def _show(self, system: System, session: aiohttp.ClientSession, feed: Feed, breaker: Breaker) -> None:
        shown, now = time.monotonic(), await self._look(system, session)
        live = Live(console=self._console, auto_refresh=False, transient=True)
        with live if self._console.is_terminal else contextlib.nullcontext():
            while True:
                await asyncio.sleep(LOOK_SECONDS)
                before, now = now, await self._look(system, session)
                await feed.put(snapshot(before, now, await breaker.status()))
                if self._console.is_terminal:
                    live.update(_table(before, now), refresh=True)
                elif now.at - shown >= LINES_SECONDS:
                    shown = now.at
                    self._say("; ".join(f"{name}: {text}" for name, text in rows(before, now)))

    async def _ask_lags(self) -> None:
        # Apart from the rest: while the broker is unreachable, the question takes long.
        while True:
            try:
                self._lags = await asyncio.to_thread(lags, self._topics, unasked)
            except (BrokerUnavailableError, TopicsError):
                self._lags = None
            await asyncio.sleep(LOOK_SECONDS)

    async def _look(self, system: System, session: aiohttp.ClientSession) -> Moment:
        system.require_running()
        self._mails.read()
        return Moment(
            at=time.monotonic(),
            metrics={name: await self._scrape(session, name) for name in SERVICES},
            lags=self._lags,
            mails=self._mails.number,
            used=of_system(system, *system.running),
        )

    async def _scrape(self, session: aiohttp.ClientSession, name: str) -> Mapping[str, float]:
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):  # busy; a dead one is noticed as a process
            return await scrape(session, f"http://{HOST}:{self._settings.metrics_port(name)}")
        return {}

    def _links(self) -> str:
        ports = {name: (self._settings.port(name), self._settings.metrics_port(name)) for name in SERVICES}
        page = f"  [bold]look at http://{HOST}:{self._settings.page_port}/[/]  the live page"
        lines = [
            f"  {name:13} API http://{HOST}:{port}  docs http://{HOST}:{port}/schema  metrics http://{HOST}:{metrics}/metrics"
            for name, (port, metrics) in ports.items()
        ]
        kept = f"  broker {self._settings.bootstrap_servers}; state, logs and mails are kept in {self._folder}"
        secured = [f"  TLS, logins and tokens: {self._folder / OPERATOR_FILE} has the operator's for a shell"]
        return "\n".join([page, *lines, kept, *(secured if self._settings.secure else []), "  up until Ctrl-C"])

    def _say(self, text: str) -> None:
        self._console.print(text, highlight=False, soft_wrap=True)


class Mails:
    """The mails in a file that grows, each line read only once."""

    def __init__(self, path: Path) -> None:
        self._lines = AddedLines(path)
        self._newest: deque[bytes] = deque(maxlen=NEWEST_MAILS)
        self.number = 0

    def read(self) -> None:
        """Read what was added."""
        added = self._lines.read()
        self.number += len(added)
        self._newest.extend(added)

    def newest(self) -> list[Mail]:
        """Return the newest mails, the oldest of them first."""
        self.read()
        return [msgspec.json.decode(line, type=Mail) for line in self._newest]


def _table(before: Moment, now: Moment) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    for name, text in rows(before, now):
        table.add_row(f"  {name}", text)
    return table
