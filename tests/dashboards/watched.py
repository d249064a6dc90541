"""Systems with a Prometheus: a local one with the lag exporter, or the release on kind."""

import contextlib
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from k8s import deploy
from services.chassis.kafka.admin import KafkaAdmin
from services.contracts import catalog
from services.workbench.local.free_ports import free_ports
from services.workbench.local.ports import HOST
from services.workbench.local.processes import Program, probe
from services.workbench.local.system import SERVICES, System, clean_environment, local_programs
from services.workbench.local.trial import READY_S, settings_on_free_ports
from services.workbench.settings import WorkbenchSettings
from tests.support.prometheus import Prometheus, prometheus

RULES = Path("charts/observability/files/rules.yml").absolute()
EVERY = "5s"  # as in compose and the chart


class Watched(msgspec.Struct, frozen=True):
    """Addresses of a system, its Prometheus, and the system itself if faults may be injected."""

    user_url: str
    audit_url: str
    bootstrap_servers: str
    prometheus: Prometheus
    system: System | None


@contextlib.contextmanager
def local(folder: Path) -> Iterator[Watched]:
    """Start a local system; it stops at the end of the block."""
    settings, (probe_port,) = settings_on_free_ports(users=1), free_ports(1)
    programs = [*local_programs(settings, folder), _probe(settings, probe_port, folder)]
    with System(programs) as system:
        system.start("broker", "sink")
        system.wait_ready(READY_S, "broker", "sink")
        client = settings.client
        KafkaAdmin(client, "dashboards").ensure(catalog.TOPICS)
        parts = (*SERVICES, "console")
        system.start(*parts)
        system.wait_ready(READY_S, *parts)
        ports = {name: int(system.process(name).program.environment["APP_METRICS_PORT"]) for name in parts}
        with prometheus(_config(ports, folder), folder) as watching:
            urls = (f"http://{HOST}:{settings.user_port}", f"http://{HOST}:{settings.audit_port}")
            yield Watched(*urls, settings.bootstrap_servers, watching, system)


@contextlib.contextmanager
def deployed(address: str) -> Iterator[Watched]:
    """Yield the release on kind and the Prometheus at an address."""
    at = {name.removeprefix("KIND_").removesuffix("_PORT"): f"{HOST}:{port}" for name, port in deploy.ports().items()}
    with contextlib.closing(Prometheus(address)) as watching:
        yield Watched(f"http://{at['USER']}", f"http://{at['AUDIT']}", at["KAFKA"], watching, None)


def _probe(settings: WorkbenchSettings, port: int, folder: Path) -> Program:
    environment = {
        "APP_KAFKA_BOOTSTRAP_SERVERS": settings.bootstrap_servers,
        "APP_HTTP_HOST": HOST,
        "APP_METRICS_PORT": str(port),
        "APP_PROBE_EVERY": "2s",
    }
    argv = (sys.executable, "-m", "services.console", "probe")
    ready = lambda: probe(HOST, port, "/readyz")  # noqa: E731
    return Program("console", argv, clean_environment(environment), folder / "console.log", ready)


def _config(ports: Mapping[str, int], folder: Path) -> Path:
    """Write the configuration of Prometheus; JSON is YAML."""
    jobs = [
        {"job_name": name, "static_configs": [{"targets": [f"{HOST}:{port}"], "labels": {"namespace": "local"}}]}
        for name, port in ports.items()
    ]
    config = folder / "prometheus.yml"
    intervals = {"scrape_interval": EVERY, "evaluation_interval": EVERY}
    config.write_text(json.dumps({"global": intervals, "rule_files": [str(RULES)], "scrape_configs": jobs}))
    return config
