"""Faults on purpose in the system of `make run`: parts that are killed or paused, records that are no events.

Every fault heals by itself. Called on the main thread's event loop: a process dies with the thread that started it.
"""

import asyncio
import os
import signal
import time
from collections.abc import Callable, Mapping

import msgspec

from services.chassis.kafka.producer import Producer
from services.chassis.kafka.settings import KafkaSettings
from services.chassis.messages.record import Outgoing
from services.contracts.catalog import USER_NOTICES
from services.contracts.service_list import SERVICES
from services.workbench.local.system import System

LASTS_S = 10.0
POISON_RECORDS = 3


class FaultError(Exception):
    """The fault is unknown, or its part is broken already; the message gives the names."""


class Broken(msgspec.Struct, frozen=True):
    """A fault under way: its name, and the seconds until it heals."""

    name: str
    heals_in_s: float


class Faults:
    """The faults of one system, by name: `kill user`, `pause broker`, `poison`."""

    def __init__(self, system: System, kafka: KafkaSettings) -> None:
        self._system = system
        self._kafka = kafka
        self._active: dict[str, tuple[str, float]] = {}  # by part: name, end
        parts = [*SERVICES, *(part for part in ("broker", "sink") if part in system)]
        kills = {f"kill {part}": (part, self._kill) for part in parts}
        pauses = {f"pause {part}": (part, self._pause) for part in parts}
        self._known: Mapping[str, tuple[str, Callable[[str], Callable[[], None]]]] = kills | pauses

    def names(self) -> list[str]:
        """Return the names of all faults."""
        return [*self._known, "poison"]

    def active(self) -> list[Broken]:
        """Return the faults under way."""
        return [Broken(name, max(0.0, end - time.monotonic())) for name, end in self._active.values()]

    def begin(self, name: str, seconds: float = LASTS_S) -> str:
        """Begin a fault and let it heal later; return what was done. Raises FaultError."""
        if name == "poison":
            return self._poison()
        if name not in self._known:
            raise FaultError(f"no fault {name!r}; there are {', '.join(self.names())}")
        part, begin = self._known[name]
        if part in self._active:
            raise FaultError(f"{part} is broken already: {self._active[part][0]}")
        heal = begin(part)
        self._active[part] = (name, time.monotonic() + seconds)
        asyncio.get_running_loop().call_later(seconds, self._heal, part, heal)
        return f"{name}: heals in {seconds:g} s"

    def _heal(self, part: str, heal: Callable[[], None]) -> None:
        heal()
        del self._active[part]

    def _kill(self, part: str) -> Callable[[], None]:
        self._system.kill(part)
        return lambda: self._system.start(part)

    def _pause(self, part: str) -> Callable[[], None]:
        pid = self._system.process(part).pid
        os.kill(pid, signal.SIGSTOP)
        return lambda: os.kill(pid, signal.SIGCONT)

    def _poison(self) -> str:
        """Publish records that are no events: the notification service writes a dead letter of each and goes on."""
        record = Outgoing(USER_NOTICES.name, b"poison", b"{not an event", [])
        producer = Producer(self._kafka, "poison")
        producer.publish([record] * POISON_RECORDS)
        producer.close()
        return f"{POISON_RECORDS} records that are no events are on {USER_NOTICES.name}"
