"""A campaign against a whole local system whose parts are killed meanwhile, and the counts afterwards."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import aiohttp

from services.chassis.kafka.admin import KafkaAdmin
from services.console.lag import event_partitions
from services.contracts.service_list import JOBS, LAG_EXPORTER, SERVICES, WITH_API
from services.workbench.api_clients import api_session
from services.workbench.demo.campaign import Plan, campaign
from services.workbench.demo.counting import Line
from services.workbench.demo.driver import Accepted, Driver
from services.workbench.demo.observation import AuditTrail, Inbox, Log, Offsets
from services.workbench.demo.watch import MAILS as MAIL_COUNT
from services.workbench.demo.watch import Watch
from services.workbench.local.free_ports import free_ports
from services.workbench.local.lifecycle import Lifecycle
from services.workbench.local.ports import HOST
from services.workbench.local.processes import Program
from services.workbench.local.system import MAILS, System
from services.workbench.reconcile.clients import client_anomalies
from services.workbench.reconcile.history import Recorder, recording
from services.workbench.settings import WorkbenchSettings

STATE = Path(__file__).parents[3] / ".eventline"
HISTORY = "history.jsonl"
READY_S = 60.0
PATIENCE_S = 60.0  # without any movement: a lease, a session of 6 s and a claim must fit
ANSWER_S = 180.0  # for a command: longer than any fault, a restore on a busy machine included
RELAY_HASTE = {"APP_RELAY_LEASE": "6s", "APP_KAFKA_MESSAGE_TIMEOUT": "3s"}
HASTE = {
    "user": RELAY_HASTE,
    "notification": {**RELAY_HASTE, "APP_SMTP_TIMEOUT": "1s", "APP_SENDER_CLAIM_TIME": "8s"},
    "audit": {"APP_KAFKA_MESSAGE_TIMEOUT": "3s"},  # no relay, so no lease
}
PORTS = (
    "broker_port",
    "controller_port",
    "broker_internal_port",
    "smtp_port",
    "page_port",
    *(f"{name}_port" for name in WITH_API),
    *(f"{name}_metrics_port" for name in JOBS),
)


def settings_on_free_ports(users: int) -> WorkbenchSettings:
    """Return settings of a local system that meets no other."""
    ports: dict[str, Any] = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
    return WorkbenchSettings(state_dir=STATE, users=users, **ports)


# On the event loop, in the main thread: a process dies with the thread that started it.
Fault = Callable[[], Awaitable[None]]


class AnomalyError(Exception):
    """The history of the clients does not fit the log; the message has a line for each anomaly."""


class Trial:
    """A running system and a campaign for it. A fault is called once, when half of the commands are accepted."""

    def __init__(self, system: System, settings: WorkbenchSettings, folder: Path) -> None:
        self.system = system
        self.settings = settings
        self.folder = folder
        self.anomalies: Sequence[str] = ()  # of the clients
        self._client = settings.client
        self._starts: Offsets = KafkaAdmin(self._client, "trial").ends(event_partitions())
        self._plans = campaign(settings.users, seed=7)
        self.drivers: list[Driver] = []
        self.accepted: Sequence[Accepted] = []
        self.commands = sum(len(steps) for plan in self._plans for steps in plan.waves)

    def url(self, process: str) -> str:
        """Return the address of a process's API."""
        return f"http://{HOST}:{self.system.process(process).program.environment['APP_HTTP_PORT']}"

    def play(self, half_way: Fault, urls: Sequence[str] = ()) -> Watch:
        """Drive the campaign through the fault and wait until everything has arrived, or nothing moves any more."""
        history = self.folder / HISTORY
        with recording(history) as recorder:
            watch = asyncio.run(self._play(half_way, urls or [self.url("user")], recorder))
        self.anomalies = client_anomalies(self._client, [history])
        return watch

    async def _play(self, half_way: Fault, urls: Sequence[str], recorder: Recorder | None) -> Watch:
        commands = self.commands
        with contextlib.closing(Log(self._client, "trial", self._starts)) as log:
            async with api_session() as session:
                self.trail = trail = AuditTrail(session, self.url("audit"), self._starts)
                watch = Watch(commands, log, Inbox(self.folder / MAILS), trail)
                self.accepted = watch.accepted
                self.drivers = [
                    Driver(session, url, f"trial{number}", ANSWER_S, recorder) for number, url in enumerate(urls)
                ]
                fault = asyncio.create_task(_once(lambda: len(watch.accepted) >= commands // 2, half_way))
                for wave in (0, 1):
                    await self._wave(watch, wave)
                    await _settle(watch, log, trail)
                await fault
                await _settle(watch, log, trail)  # a fault may last longer than the campaign
        return watch

    async def _wave(self, watch: Watch, wave: int) -> None:
        async with asyncio.TaskGroup() as group:
            for number, driver in enumerate(self.drivers):
                share: list[Plan] = self._plans[number :: len(self.drivers)]
                group.create_task(driver.drive(share, wave, 8, watch.accepted.append))

    async def metric(self, process: str, name: str) -> float:
        """Return the current value of a metric without labels."""
        port = self.system.process(process).program.environment["APP_METRICS_PORT"]
        async with aiohttp.ClientSession() as session, session.get(f"http://{HOST}:{port}/metrics") as response:
            lines = (await response.text()).splitlines()
        return next(float(line.split()[-1]) for line in lines if line.startswith(f"{name} "))


async def _once(ready: Callable[[], bool], act: Fault) -> None:
    while not ready():  # noqa: ASYNC110  # nobody sets an event: acceptance is counted, not announced
        await asyncio.sleep(0.01)
    await act()


async def _settle(watch: Watch, log: Log, trail: AuditTrail) -> None:
    # By lines, not by totals: where a relay was killed, a repeat on the log could hide a missing record.
    seen, moved = watch.counts(), time.monotonic()
    while any(line.missing for line in watch.lines()) and time.monotonic() - moved < PATIENCE_S:
        await asyncio.to_thread(log.poll)
        watch.look_at_mails()
        with contextlib.suppress(aiohttp.ClientConnectionError):  # audit may be the killed service
            await trail.poll()
        if (counts := watch.counts()) != seen:
            seen, moved = counts, time.monotonic()


def wrong(lines: Sequence[Line], *, mails_may_repeat: int = 0) -> list[Line]:
    """Return the lines with a loss or an invention; the log may repeat, mails only so often."""
    return [
        line
        for line in lines
        if line.missing or line.unexpected or (line.kind == MAIL_COUNT and line.repeated > mails_may_repeat)
    ]


def hastened(program: Program) -> Program:
    """Return a service with shorter leases, so that a take-over is seen sooner."""
    if program.name not in SERVICES:
        return program
    return program.with_environment(haste(program.name))


def haste(service: str) -> dict[str, str]:
    """Return the variables that shorten a service's leases and claims."""
    return HASTE.get(service, HASTE["audit"])


@contextlib.contextmanager
def trial(settings: WorkbenchSettings, programs: Sequence[Program], folder: Path) -> Iterator[Trial]:
    """Yield a trial on a local system of its own, which is killed at the end if it still runs."""
    with System(programs) as system:
        apart = ("broker", "sink", LAG_EXPORTER)
        Lifecycle(system, settings).start([program.name for program in programs if program.name not in apart])
        yield (run := Trial(system, settings, folder))
        if run.anomalies:
            raise AnomalyError("\n".join(run.anomalies))
