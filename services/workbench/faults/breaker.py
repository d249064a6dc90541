"""Breaks a running system on purpose: causes faults, measures meanwhile, and reports at the end."""

import asyncio
import uuid
from collections.abc import Sequence

import aiohttp
import msgspec

from services.chassis.kafka.admin import BrokerUnavailableError, KafkaAdmin
from services.chassis.kafka.group_consumer import PartitionReadError
from services.console.lag import event_partitions
from services.workbench.faults.effects.measurement import Measurement, Site
from services.workbench.faults.injector import Broken, Injector
from services.workbench.faults.poison import POISONS, RECORDS
from services.workbench.faults.table import Fault


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """The faults under way, the progress of the measurement, and the newest report with its number."""

    possible: Sequence[Fault]
    broken: Sequence[Broken] = ()
    progress: str = ""
    reported: int = 0
    report: Sequence[tuple[str, str]] = ()
    is_right: bool = True


class Breaker:
    """The faults of one system and their measurement. Faults that overlap are measured as one."""

    def __init__(self, injector: Injector, site: Site, session: aiohttp.ClientSession) -> None:
        self._injector = injector
        self._site = site
        self._session = session
        self._measurement: Measurement | None = None
        self._playing: asyncio.Task[None] | None = None
        self._text: Sequence[tuple[str, str]] = ()
        self._is_right = True
        self._begun = self._reported = 0
        self._beginning = asyncio.Lock()

    async def status(self) -> Status:
        """Return the present status. Raises what the measurement has raised unexpectedly."""
        if self._playing and self._playing.done():
            self._playing.result()
        return Status(
            possible=self._injector.possible(),
            broken=self._injector.active(),
            progress=self._measurement.progress() if self._measurement else "",
            reported=self._reported,
            report=self._text,
            is_right=self._is_right,
        )

    async def begin(self, fault: Fault, seconds: float) -> int:
        """Cause a fault; return the number of the report that will cover it.

        Raises FaultError, and what the system's parts and its broker raise.
        """
        async with self._beginning:
            self._injector.require(fault)
            measurement = self._measurement or await self._measure()
            await self._injector.begin(fault, seconds)
            measurement.faults.append(fault.name)
            if fault.verb == "poison" and not POISONS[fault.target].parked:
                measurement.expected_letters += RECORDS
            return self._begun

    async def heal(self) -> list[str]:
        """Heal everything now; return what was healed. Raises what the system's parts raise."""
        return await self._injector.heal()

    async def close(self) -> None:
        """Heal what was broken here, and measure no more."""
        await self._injector.close()
        if self._playing:
            self._playing.cancel()

    async def _measure(self) -> Measurement:
        starts = await asyncio.to_thread(KafkaAdmin(self._site.kafka, "console").ends, event_partitions())
        measurement = self._measurement = Measurement(
            self._site, self._session, f"break-{uuid.uuid4().hex[:8]}", starts
        )
        await measurement.prepare()
        self._begun += 1
        self._playing = asyncio.create_task(self._play(measurement))
        return measurement

    async def _play(self, measurement: Measurement) -> None:
        try:
            report = await measurement.play(self._is_broken)
            if measurement.faults:  # else the fault could not begin
                self._text, self._is_right = report.text(), report.is_right
        except* (BrokerUnavailableError, PartitionReadError) as errors:
            self._text, self._is_right = [("not measured", str(error)) for error in errors.exceptions], False
        finally:
            self._reported, self._measurement = self._begun, None

    def _is_broken(self) -> bool:
        return self._beginning.locked() or bool(self._injector.active())
