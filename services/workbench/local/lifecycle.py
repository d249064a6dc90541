"""Start and orderly stop of the local system, reported step by step."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from services.chassis.kafka.admin import KafkaAdmin
from services.contracts import catalog
from services.contracts.service_list import JOBS, PUBLISHERS, WITH_API
from services.workbench.local.access import rights
from services.workbench.local.ports import HOST
from services.workbench.local.system import BROKER_STOPPED, System
from services.workbench.settings import WorkbenchSettings


def silent(_: str) -> None:
    """Report nothing."""


class Lifecycle:
    """Starts and stops parts of a system. `problems` lists those that ended with an unexpected exit code."""

    def __init__(self, system: System, settings: WorkbenchSettings, report: Callable[[str], None] = silent) -> None:
        self._system = system
        self._patience = settings.deadline.total_seconds()
        self._report = report
        self._settings = settings
        self.problems: list[str] = []

    def start(self, services: Sequence[str] = WITH_API) -> None:
        """Start broker and mail sink, create the topics, start services. Raises ProcessError, TopicsError."""
        self.launch([name for name in ("broker", "sink") if name in self._system])
        self._provide()
        if services:
            self.launch(services)

    def _provide(self) -> None:
        """Create topics, and rights and users of a secured broker: services start last, so none is denied anything."""
        settings = self._settings
        if not settings.secure:
            KafkaAdmin(settings.administrator, "console").ensure(catalog.TOPICS)
            return
        started, logins = time.monotonic(), settings.logins()
        internal = replace(settings, kafka_bootstrap_servers=f"{HOST}:{settings.broker_internal_port}")
        rights.admit_administrator(internal, logins)
        rights.apply(settings.administrator, logins, lambda _: None)
        self._report(f"created topics, rights and users in {time.monotonic() - started:.1f} s")

    def launch(self, names: Sequence[str]) -> None:
        """Start parts and wait until they are ready. Raises ProcessError."""
        started = time.monotonic()
        self._system.start(*names)
        self._system.wait_ready(self._patience, *names)
        self._report(f"started {', '.join(names)} in {time.monotonic() - started:.1f} s")

    def stop(self, names: Sequence[str]) -> None:
        """End parts in order. Raises ProcessError for one that does not end."""
        started = time.monotonic()
        codes = self._system.stop(*names)
        self._report(f"stopped {', '.join(names)} in {time.monotonic() - started:.1f} s")
        for name, code in codes.items():
            if code != (right := BROKER_STOPPED if name == "broker" else 0):
                self.problems.append(f"{name} ended with exit code {code} instead of {right}")

    def end(self) -> None:
        """Stop all running parts: publishers, then readers, then mail sink and broker."""
        for names in (PUBLISHERS, JOBS, ("sink", "broker")):
            if running := [name for name in names if name in self._system.running]:
                self.stop(running)
