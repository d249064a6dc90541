"""The local system from its start to its orderly end, told to a person step by step."""

import time
from collections.abc import Callable, Sequence

from services.chassis.kafka.admin import KafkaAdmin
from services.contracts import catalog
from services.workbench.local.system import BROKER_STOPPED, SERVICES, System
from services.workbench.settings import WorkbenchSettings


class Life:
    """Starts and stops parts of a system. `problems` says which of them did not end as they should."""

    def __init__(self, system: System, settings: WorkbenchSettings, say: Callable[[str], None]) -> None:
        self._system = system
        self._patience = settings.deadline.total_seconds()
        self._say = say
        self.problems: list[str] = []

    def start(self, topics: KafkaAdmin, services: Sequence[str] = SERVICES) -> None:
        """Start what the services stand on, then the services. Raises ProcessError and what the topics raise."""
        self.launch([name for name in ("broker", "sink") if name in self._system])
        topics.ensure(catalog.TOPICS)
        self.launch(services)

    def launch(self, names: Sequence[str]) -> None:
        """Start parts and wait until they can be used. Raises ProcessError."""
        started = time.monotonic()
        self._system.start(*names)
        self._system.wait_ready(self._patience, *names)
        self._say(f"started {', '.join(names)} in {time.monotonic() - started:.1f} s")

    def stop(self, names: Sequence[str]) -> None:
        """End parts in order. Raises ProcessError for one that does not end."""
        started = time.monotonic()
        codes = self._system.stop(*names)
        self._say(f"stopped {', '.join(names)} in {time.monotonic() - started:.1f} s")
        for name, code in codes.items():
            if code != (right := BROKER_STOPPED if name == "broker" else 0):
                self.problems.append(f"{name} ended with exit code {code} instead of {right}")

    def end(self) -> None:
        """End whatever runs: who publishes, who reads, what they stand on."""
        for names in (("user", "notification"), ("audit",), ("sink", "broker")):
            if running := [name for name in names if name in self._system.running]:
                self.stop(running)
