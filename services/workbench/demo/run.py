"""The demo from beginning to end: start the system, drive it, watch the effects arrive, stop it, count."""

import asyncio
import contextlib
import shutil
import time

from services.chassis.kafka.admin import KafkaAdmin
from services.console.lag import event_partitions
from services.contracts.service_list import SERVICES
from services.workbench.api_clients import api_session
from services.workbench.demo.campaign import campaign
from services.workbench.demo.display import Display
from services.workbench.demo.driver import Driver
from services.workbench.demo.observation import AuditTrail, Inbox, Log, Offsets
from services.workbench.demo.report import Result
from services.workbench.demo.watch import Watch
from services.workbench.local.lifecycle import Lifecycle
from services.workbench.local.ports import HOST
from services.workbench.local.system import MAILS, System, local_programs, require_ports, verify_audit
from services.workbench.settings import WorkbenchSettings
from services.workbench.usage import Usage, of_system, too_large


class Demo:
    """One demo. `run` tells its correlation ids from any other's; its folder keeps what it leaves behind."""

    def __init__(self, settings: WorkbenchSettings, run: str, display: Display) -> None:
        self._settings = settings
        self._run = run
        self._display = display
        self._client = settings.client
        self._topics = KafkaAdmin(self._client, "console")
        self._deadline = settings.deadline.total_seconds()
        self._plans = campaign(settings.users, settings.seed)
        self._folder = settings.folder("demo")
        self._problems: list[str] = []
        self._used: dict[str, Usage] = {}

    def play(self) -> Result:
        """Run the demo and return what was counted.

        Raises PortTakenError, FileNotFoundError, ProcessError, RefusedError, aiohttp.ClientError and what the
        topics raise: after any of these there is nothing to count.
        """
        started = time.monotonic()
        require_ports(self._settings)
        shutil.rmtree(self._folder, ignore_errors=True)
        with System(local_programs(self._settings, self._folder)) as system:
            life = Lifecycle(system, self._settings, self._display.say)
            life.start()
            watch, driving_seconds = asyncio.run(self._drive(system, life))
            self._finish(life)
        return Result(
            users=self._settings.users,
            commands=len(watch.accepted),
            sent_again=sum(command.attempts - 1 for command in watch.accepted),
            driving_seconds=driving_seconds,
            total_seconds=time.monotonic() - started,
            lines=watch.lines(),
            durations=watch.durations(),
            used=self._used,
            problems=self._problems + life.problems + too_large(self._used),
        )

    async def _drive(self, system: System, life: Lifecycle) -> tuple[Watch, float]:
        starts = self._topics.ends(event_partitions())
        commands = sum(len(steps) for plan in self._plans for steps in plan.waves)
        with contextlib.closing(Log(self._client, f"console-{self._run}", starts)) as log:
            async with api_session() as session:
                trail = AuditTrail(session, f"http://{HOST}:{self._settings.port('audit')}", starts)
                watch = Watch(commands, log, Inbox(self._folder / MAILS), trail)
                driver = Driver(session, f"http://{HOST}:{self._settings.port('user')}", self._run, self._deadline)
                async with asyncio.TaskGroup() as group:
                    following = group.create_task(watch.follow(lambda: self._tell(system, watch)))
                    seconds = [await self._wave(driver, watch, wave) for wave in (0, 1)]
                    self._used = of_system(system, *SERVICES)
                    await self._look_back(life, watch, starts)
                    following.cancel()
        return watch, sum(seconds)

    async def _wave(self, driver: Driver, watch: Watch, wave: int) -> float:
        started = time.monotonic()
        await driver.drive(self._plans, wave, self._settings.concurrency, watch.accepted.append)
        seconds = time.monotonic() - started
        await watch.wait(watch.is_settled, self._deadline)
        waited = time.monotonic() - started - seconds
        self._display.say(f"drove wave {wave + 1} of 2 in {seconds:.1f} s, waited {waited:.1f} s for its effects")
        return seconds

    async def _look_back(self, life: Lifecycle, watch: Watch, starts: Offsets) -> None:
        # Publishers are stopped before the last poll, so that nothing arrives after the count.
        await asyncio.to_thread(life.stop, ("user", "notification"))
        ends = self._topics.ends(event_partitions())
        written = sum(ends[place] - starts[place] for place in ends)
        await watch.wait(lambda: watch.records() == watch.entries() == written, self._deadline)

    def _finish(self, life: Lifecycle) -> None:
        life.stop(("audit",))
        verified = verify_audit(self._settings, self._folder)
        self._display.say("verified the audit chain: " + "".join(verified.stdout.splitlines()[-1:]))
        if verified.returncode != 0:
            self._problems.append(f"audit verify ended with {verified.returncode}: {verified.stderr.strip()}")
        life.end()

    def _tell(self, system: System, watch: Watch) -> None:
        system.require_running()
        self._display.update(watch.counts())
