"""Causes faults and heals each at its time, also when the program ends. Runs on one event loop."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from functools import partial

import msgspec

from services.chassis.kafka.producer import Producer
from services.chassis.kafka.settings import KafkaSettings
from services.chassis.messages.clock import utc_now
from services.chassis.messages.ids import new_id
from services.workbench.faults.conditions.condition import Condition
from services.workbench.faults.parts import Parts
from services.workbench.faults.poison import RECORDS, records
from services.workbench.faults.table import Fault, FaultError, all_faults, named

PAUSED_S, RUNNING_S = 1.2, 0.3  # of a slow part
CONDITIONED = ("fill", "write-protect", "cut", "shift")


class Broken(msgspec.Struct, frozen=True):
    """A fault under way: its name, its target, and the seconds until it heals."""

    name: str
    target: str
    heals_in_s: float


class Injector:
    """The faults of one system. A target has at most one at a time. `conditions` are those of some verbs."""

    def __init__(self, parts: Parts, kafka: KafkaSettings, conditions: Mapping[str, Condition] | None = None) -> None:
        self._parts = parts
        self._conditions = conditions or {}
        self._kafka = kafka
        self._active: dict[str, _Active] = {}  # by target
        self._endings: set[asyncio.Task[None]] = set()
        self._acting = asyncio.Lock()
        self._begin: Mapping[str, Callable[[str], AbstractAsyncContextManager[None]]] = {
            "kill": self._killed,
            **dict.fromkeys(("pause", "suspend", "stall"), self._paused),
            "slow": self._slowed,
            **{verb: partial(self._without, condition) for verb, condition in self._conditions.items()},
        }

    def possible(self) -> list[Fault]:
        """Return the faults that this system can have."""
        return [fault for fault in all_faults() if not self._obstacle(fault)]

    def active(self) -> list[Broken]:
        """Return the faults under way. Raises what the system's parts have raised while one was healed."""
        for ending in [each for each in self._endings if each.done()]:
            self._endings.discard(ending)
            ending.result()
        now = time.monotonic()
        return [Broken(one.fault.name, one.fault.target, max(0.0, one.end - now)) for one in self._active.values()]

    def require(self, fault: Fault) -> None:
        """Check that a fault can begin now. Raises FaultError."""
        named(fault.verb, fault.target)
        if obstacle := self._obstacle(fault):
            raise FaultError(f"{fault.name} is impossible in {self._parts.system}: {obstacle}")
        if fault.target in self._active:
            raise FaultError(f"{fault.target} is broken already: {self._active[fault.target].fault.name}")

    async def begin(self, fault: Fault, seconds: float) -> None:
        """Cause a fault and let it heal later, after its shortest time at the earliest.

        Raises FaultError, and what the system's parts and conditions raise.
        """
        async with self._acting:
            self.require(fault)
            stack = contextlib.AsyncExitStack()
            await stack.enter_async_context(self._begin.get(fault.verb, self._poisoned)(fault.target))
            active = self._active[fault.target] = _Active(fault, time.monotonic() + fault.lasting(seconds), stack)
        active.ending = asyncio.create_task(self._end_later(active))
        self._endings.add(active.ending)

    async def heal(self) -> list[str]:
        """Heal everything now, also what others have broken; return what was healed. Raises what the parts raise."""
        return await self.close() + await self._parts.heal()

    async def close(self) -> list[str]:
        """Heal now what was broken here; return it. Raises what the system's parts raise."""
        active = list(self._active.values())
        for one in active:
            one.over.set()
        for one in active:
            await one.ending
        return [one.fault.name for one in active]

    def _obstacle(self, fault: Fault) -> str:
        obstacle = self._parts.obstacle(fault)
        if obstacle or fault.verb not in CONDITIONED:
            return obstacle
        condition = self._conditions.get(fault.verb)
        return condition.obstacle(fault.target) if condition else "it is possible on local systems only: `make chaos`"

    async def _end_later(self, active: "_Active") -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(active.over.wait(), active.end - time.monotonic())
        async with self._acting:
            try:
                await active.stack.aclose()
            finally:
                del self._active[active.fault.target]

    @contextlib.asynccontextmanager
    async def _killed(self, part: str) -> AsyncIterator[None]:
        await self._parts.kill(part)
        yield
        await self._parts.start(part)

    @contextlib.asynccontextmanager
    async def _paused(self, part: str) -> AsyncIterator[None]:
        await self._parts.pause(part)
        yield
        await self._parts.resume(part)

    @contextlib.asynccontextmanager
    async def _slowed(self, part: str) -> AsyncIterator[None]:
        async def in_turn() -> None:
            while not over.is_set():
                await self._parts.pause(part)
                await asyncio.sleep(PAUSED_S)
                await self._parts.resume(part)
                await asyncio.sleep(RUNNING_S)

        over = asyncio.Event()
        turns = asyncio.create_task(in_turn())
        yield
        over.set()
        await turns

    @contextlib.asynccontextmanager
    async def _without(self, condition: Condition, target: str) -> AsyncIterator[None]:
        await condition.begin(target)
        yield
        await condition.end(target)

    @contextlib.asynccontextmanager
    async def _poisoned(self, kind: str) -> AsyncIterator[None]:
        await asyncio.to_thread(self._publish, kind)
        yield

    def _publish(self, kind: str) -> None:
        with contextlib.closing(Producer(self._kafka, "poison")) as producer:
            producer.publish(records(kind, utc_now(), [new_id() for _ in range(RECORDS)]))


class _Active:
    """A fault under way, and how it ends."""

    ending: asyncio.Task[None]

    def __init__(self, fault: Fault, end: float, stack: contextlib.AsyncExitStack) -> None:
        self.fault = fault
        self.end = end
        self.stack = stack
        self.over = asyncio.Event()
