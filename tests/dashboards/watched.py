"""Systems with a Prometheus: a local one with the lag exporter, or the release on kind."""

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from k8s import deploy
from services.chassis.kafka.settings import KafkaSettings
from services.console.logins import IN_KIND, reached
from services.console.settings import ConsoleSettings
from services.console.tokens.found_key import provide
from services.contracts.access import ADMINISTRATOR, OPERATOR
from services.contracts.service_list import JOBS
from services.workbench.local.lifecycle import Lifecycle
from services.workbench.local.ports import HOST
from services.workbench.local.system import System, local_programs
from services.workbench.local.trial import settings_on_free_ports
from tests.support.prometheus import Prometheus, prometheus

RULES = Path("charts/observability/files/rules.yml").absolute()
EVERY = "5s"  # as in compose and the chart


class Watched(msgspec.Struct, frozen=True):
    """Addresses of a system, its Prometheus, and the system itself if faults may be injected.

    `kafka` has the login of a person who reads, `administrator` one that may publish what is no event.
    """

    user_url: str
    audit_url: str
    kafka: KafkaSettings
    administrator: KafkaSettings
    prometheus: Prometheus
    system: System | None


@contextlib.contextmanager
def local(folder: Path) -> Iterator[Watched]:
    """Start a local system; it stops at the end of the block."""
    settings = settings_on_free_ports(users=1)
    with System(local_programs(settings, folder)) as system:
        Lifecycle(system, settings).start(JOBS)
        ports = {name: int(system.process(name).program.environment["APP_METRICS_PORT"]) for name in JOBS}
        with prometheus(_config(ports, folder), folder) as watching:
            urls = (f"http://{HOST}:{settings.port('user')}", f"http://{HOST}:{settings.port('audit')}")
            yield Watched(*urls, settings.client, settings.client, watching, system)


@contextlib.contextmanager
def deployed(address: str, folder: Path) -> Iterator[Watched]:
    """Yield the release on kind and the Prometheus at an address."""
    at = {name.removeprefix("KIND_").removesuffix("_PORT"): f"{HOST}:{port}" for name, port in deploy.ports().items()}
    provide(IN_KIND, folder)
    reader, administrator = (
        reached(ConsoleSettings(), IN_KIND, at["KAFKA"], os.environ, name) for name in (OPERATOR, ADMINISTRATOR)
    )
    with contextlib.closing(Prometheus(address)) as watching:
        yield Watched(f"http://{at['USER']}", f"http://{at['AUDIT']}", reader, administrator, watching, None)


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
