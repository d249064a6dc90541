"""A running local system, and the metrics of each of its processes."""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import aiohttp
import httpx
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from services.chassis.kafka.producer import Producer
from services.chassis.messages.record import Outgoing
from services.contracts.service_list import JOBS, WITH_API
from services.workbench.load.target import Target
from services.workbench.local.lifecycle import Lifecycle
from services.workbench.local.ports import HOST
from services.workbench.local.system import System, local_programs
from services.workbench.local.trial import settings_on_free_ports
from services.workbench.settings import WorkbenchSettings
from services.workbench.usage import Usage

Series = frozenset[tuple[str, str]]  # name, labels as text


class Running:
    """A system that runs."""

    def __init__(self, system: System, settings: WorkbenchSettings) -> None:
        self.system = system
        self._client = settings.client
        self._administrator = settings.administrator
        self.urls: Mapping[str, str] = {name: f"http://{HOST}:{settings.port(name)}" for name in WITH_API}

    def text(self, job: str, accept: str = "text/plain") -> str:
        """Return the text of a process's /metrics."""
        port = self.system.process(job).program.environment["APP_METRICS_PORT"]
        return httpx.get(f"http://{HOST}:{port}/metrics", headers={"Accept": accept}).raise_for_status().text

    def samples(self, job: str) -> list[Sample]:
        """Return the same as samples."""
        return [sample for family in text_string_to_metric_families(self.text(job)) for sample in family.samples]

    def series(self) -> Series:
        """Return every series of every process."""
        return frozenset(
            (sample.name, f"{job} {sorted(sample.labels.items())}") for job in JOBS for sample in self.samples(job)
        )

    def publish(self, record: Outgoing) -> None:
        """Put a record on its topic."""
        with contextlib.closing(Producer(self._administrator, "metrics")) as producer:
            producer.publish([record])

    def target(self) -> Target:
        """Return the system as one that can be loaded."""

        async def used(_: aiohttp.ClientSession) -> Mapping[str, Usage]:
            return {}

        return Target(
            user_url=self.urls["user"],
            audit_url=self.urls["audit"],
            kafka=self._client,
            mails=None,
            used=used,
            require_running=self.system.require_running,
            problems=[],
        )


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Running]:
    """Yield a system on ports and in a folder of its own; it is killed afterwards."""
    settings = settings_on_free_ports(users=1)
    with System(local_programs(settings, folder)) as system:
        Lifecycle(system, settings).start(JOBS)
        yield Running(system, settings)
