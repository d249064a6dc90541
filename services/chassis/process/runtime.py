"""Start and stop of a service: settings, probes, preparation, components in threads, SIGTERM.

Stop order is the order of the components: intake first, what finishes its work last. A component that ends by
itself takes the process down with exit code 1: the supervisor of the process restarts it.
"""

import contextlib
import gc
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from types import FrameType
from typing import Protocol, TypeVar

import msgspec
import structlog

from services.chassis.net.backoff import Backoff
from services.chassis.net.sockets import AddressError
from services.chassis.process.probes import Probes
from services.chassis.process.settings import ProcessSettings
from services.chassis.settings.environment import SettingsError, load
from services.chassis.telemetry import logs
from services.chassis.telemetry.health import Health
from services.chassis.telemetry.telemetry import Telemetry, telemetry
from services.chassis.telemetry.tracing import tracing

STOP_WITHIN_S = 25.0  # for all components together, below the 30 s that Kubernetes grants
STOP_LEAST_S = 0.5  # for one component, where those before it have used up the time
SIGNAL_S = 1.0  # the longest delay of a signal that another thread has received
PREPARE_BACKOFF_S = (0.1, 0.2, 0.5, 1.0)
COLLECT_AFTER = (50_000, 20, 100)  # objects, young collections, middle collections

S = TypeVar("S", bound=ProcessSettings)

log = structlog.get_logger()


class Component(Protocol):
    """A part of a service with a loop of its own."""

    @property
    def name(self) -> str:
        """The name in logs and probes."""

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set, then finish what is in hand and return. May raise: that ends the process."""


class _Request:
    """A request to stop, which a signal's handler may make at any moment.

    Not an Event: its lock is held for an instant within `wait`, and a handler that then runs in the same thread
    would wait for it for ever. SimpleQueue's `put` is made for that.
    """

    def __init__(self) -> None:
        self.made = False
        self.signal: int | None = None
        self._woken: queue.SimpleQueue[None] = queue.SimpleQueue()

    def make(self) -> None:
        self.made = True
        self._woken.put(None)

    def wait(self, seconds: float) -> None:
        """Wait for a request, at most so long."""
        if not self.made:
            with contextlib.suppress(queue.Empty):
                self._woken.get(timeout=seconds)

    def wait_until_made(self) -> None:
        # Not without a limit: where the kernel gives a signal to another thread, this one runs its handler only when
        # it wakes up.
        while not self.made:
            self.wait(SIGNAL_S)


class Runtime:
    """Runs components, each in a thread of its own, until SIGTERM, SIGINT or the failure of one."""

    def __init__(self, health: Health, drain_delay: timedelta) -> None:
        self._health = health
        self._drain_delay = drain_delay.total_seconds()
        self._stopping = _Request()
        self._failed: list[str] = []

    def run(self, prepare: Callable[[], None], components: Sequence[Component]) -> int:
        """Prepare, start every component, wait, stop them in order. Returns the process's exit code."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        if self._prepare(prepare):
            running = [(component, *self._start(component)) for component in components]
            self._health.has("start")
            log.info("started", components=[component.name for component in components])
            self._stopping.wait_until_made()
            self._log_signal()
            self._health.lacks("stop", "stopping")
            threading.Event().wait(self._drain_delay)
            deadline = time.monotonic() + STOP_WITHIN_S
            for component, thread, stop in running:
                self._stop(component, thread, stop, deadline)
        log.info("stopped", failed=self._failed)
        return 1 if self._failed else 0

    def _prepare(self, prepare: Callable[[], None]) -> bool:
        backoff = Backoff(*PREPARE_BACKOFF_S)
        while not self._stopping.made:
            try:
                prepare()
            except ConnectionError as error:
                self._health.lacks("start", str(error))
                log.warning("cannot start yet, trying again", error=str(error))
                self._stopping.wait(backoff.next())
            else:
                return True
        return False

    def _start(self, component: Component) -> tuple[threading.Thread, threading.Event]:
        stop = threading.Event()
        thread = threading.Thread(target=self._guard, args=(component, stop), name=component.name, daemon=True)
        thread.start()
        return thread, stop

    def _guard(self, component: Component, stop: threading.Event) -> None:
        try:
            component.run(stop)
            in_order = stop.is_set()
        except BaseException:  # uvicorn calls sys.exit
            log.exception("component failed", component=component.name)
            in_order = False
        if not in_order:
            self._failed.append(component.name)
        self._health.ended(component.name)
        self._stopping.make()

    def _stop(self, component: Component, thread: threading.Thread, stop: threading.Event, deadline: float) -> None:
        stop.set()
        thread.join(max(STOP_LEAST_S, deadline - time.monotonic()))
        if thread.is_alive():
            log.error("did not stop in time", component=component.name, seconds=STOP_WITHIN_S)
            self._failed.append(component.name)

    def _log_signal(self) -> None:
        if (number := self._stopping.signal) is not None:
            log.info("stop asked for", signal=signal.Signals(number).name)

    def _on_signal(self, number: int, _: FrameType | None) -> None:
        # No log line here: the interrupted code may hold the logger's lock.
        self._stopping.signal = number
        self._stopping.make()


def collect_rarely() -> None:
    """Let the cyclic garbage collector run once per some batches: theirs is no cyclic garbage (DECISIONS 7)."""
    gc.set_threshold(*COLLECT_AFTER)


class Plan(msgspec.Struct, frozen=True):
    """Components of a service. `prepare` may raise ConnectionError to be called again."""

    prepare: Callable[[], None]
    components: Sequence[Component]
    close: Callable[[], None]


Build = Callable[[S, Telemetry], Plan]


def main(name: str, kind: type[S], build: Build[S]) -> int:
    """Run a service from the process's environment. Returns its exit code: 0 stopped, 1 failed, 2 misconfigured."""
    try:
        settings = load(kind, os.environ, serving=True)
        logs.configure(name, settings.log_level)
        with contextlib.closing(tracing(name, os.environ)) as traces:
            return serve(settings, telemetry(name, traces), build)
    except (SettingsError, AddressError) as error:
        sys.stderr.write(f"{name} cannot start:\n{error}\n")
        return 2


def serve(settings: S, telemetry: Telemetry, build: Build[S]) -> int:
    """Build a service, answer its probes and run it to its end. Returns 0 stopped in order, 1 failed."""
    collect_rarely()
    health = telemetry.health
    probes = Probes(settings.http_host, settings.metrics_port, health, telemetry.metrics)
    try:
        plan = build(settings, telemetry)
        code = Runtime(health, settings.drain_delay).run(plan.prepare, plan.components)
        plan.close()
    finally:
        probes.close()
    return code
