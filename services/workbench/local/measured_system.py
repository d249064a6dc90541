"""A running local system with the lag probe, and what each of its processes says on /metrics."""

import contextlib
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import aiohttp
import httpx
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from services.chassis.kafka.admin import KafkaAdmin
from services.chassis.kafka.producer import Producer
from services.chassis.messages.record import Outgoing
from services.contracts import catalog
from services.workbench.load.target import Target
from services.workbench.local.free_ports import free_ports
from services.workbench.local.ports import HOST
from services.workbench.local.processes import Program, probe
from services.workbench.local.system import SERVICES, System, clean_environment, local_programs
from services.workbench.local.trial import settings_on_free_ports
from services.workbench.settings import WorkbenchSettings
from services.workbench.usage import Usage

JOBS = (*SERVICES, "console")
READY_S = 60.0
Series = frozenset[tuple[str, str]]  # name, labels as text


class Running:
    """A system that runs."""

    def __init__(self, system: System, settings: WorkbenchSettings) -> None:
        self.system = system
        self._client = settings.client
        self.urls: Mapping[str, str] = {name: f"http://{HOST}:{getattr(settings, f'{name}_port')}" for name in SERVICES}

    def text(self, job: str, accept: str = "text/plain") -> str:
        """Return what a process says on /metrics."""
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
        with contextlib.closing(Producer(self._client, "metrics")) as producer:
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
    client = settings.client
    with System([*local_programs(settings, folder), _lag_probe(client, folder)]) as system:
        system.start("broker", "sink")
        system.wait_ready(READY_S, "broker", "sink")
        KafkaAdmin(client, "metrics").ensure(catalog.TOPICS)
        system.start(*JOBS)
        system.wait_ready(READY_S, *JOBS)
        yield Running(system, settings)


def _lag_probe(client: WorkbenchSettings, folder: Path) -> Program:
    port = free_ports(1)[0]
    told = {"APP_HTTP_HOST": HOST, "APP_METRICS_PORT": str(port), "APP_PROBE_EVERY": "1s"}
    environment = clean_environment(told | {"APP_KAFKA_BOOTSTRAP_SERVERS": client.kafka_bootstrap_servers})
    probe_argv = (sys.executable, "-m", "services.console", "probe")
    return Program("console", probe_argv, environment, folder / "console.log", lambda: probe(HOST, port, "/readyz"))
