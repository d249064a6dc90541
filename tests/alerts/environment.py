"""The system under test: two user processes on PostgreSQL, the others on SQLite, scraped at short intervals."""

import contextlib
import json
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from k8s.alerts.rules import text
from services.chassis.kafka.settings import KafkaSettings
from services.contracts.service_list import JOBS, SERVICES, STANDALONE
from services.workbench.faults.conditions.clocks import WallClock
from services.workbench.local import postgres
from services.workbench.local.free_ports import free_ports
from services.workbench.local.lifecycle import Lifecycle
from services.workbench.local.ports import HOST
from services.workbench.local.processes import Program
from services.workbench.local.system import (
    System,
    lag_exporter,
    local_programs,
    service,
    service_environment,
)
from services.workbench.local.trial import READY_S, haste, settings_on_free_ports
from services.workbench.polling import until
from services.workbench.settings import WorkbenchSettings
from tests.support.alertmanager import alertmanager, available
from tests.support.prometheus import Prometheus, prometheus

SCALE = 0.02  # an hour is 72 s, five minutes are 6 s, 512 MiB are 10
EVERY = "1s"
CEILING = 20
VOLUME_MB = 64
FIRING = 'ALERTS{alertstate="firing"}'
PROCESSES = {name: name for name in JOBS} | {"user-2": "user"}  # the job of each

Urls = Mapping[str, str]


class Environment(msgspec.Struct, frozen=True, kw_only=True):
    """The running system. `clock` is audit's.

    `volume` is a small file system for audit's database, None if it cannot be mounted.
    """

    folder: Path
    settings: WorkbenchSettings
    kafka: KafkaSettings
    system: System
    postgres: postgres.Server
    urls: Urls
    volume: Path | None
    clock: WallClock
    prometheus: Prometheus
    targets: "Targets"


class Targets:
    """The file of scrape targets that Prometheus discovers."""

    def __init__(self, programs: Sequence[Program], folder: Path) -> None:
        self._ports = {one.name: one.environment["APP_METRICS_PORT"] for one in programs if one.name in PROCESSES}
        self._folder = folder

    def show(self, *left_out: str) -> None:
        """Write every process except those left out."""
        found = [
            {"targets": [f"{HOST}:{port}"], "labels": {"job": PROCESSES[name], "namespace": "local"}}
            for name, port in self._ports.items()
            if name not in left_out
        ]
        draft = self._folder / "targets.draft"
        draft.write_text(json.dumps(found))
        draft.rename(self._folder / "targets.json")


def await_answer(prometheus: Prometheus, expression: str) -> None:
    """Wait until Prometheus returns a result for an expression."""
    until(expression, lambda: prometheus.instant(expression, time.time()), seconds=READY_S)


@contextlib.contextmanager
def environment(folder: Path, server: postgres.Server) -> Iterator[Environment]:
    """Start the system with Prometheus and Alertmanager; stop all at the end of the block."""
    settings = settings_on_free_ports(users=1)
    (port,) = free_ports(1)
    with contextlib.ExitStack() as stack:
        volume = stack.enter_context(_small_volume(folder / "small"))
        urls = {name: f"sqlite:///{folder / name}.db" for name in SERVICES}
        urls |= {"user": server.fresh_url()} | ({"audit": f"sqlite:///{volume}/audit.db"} if volume else {})
        clock = WallClock(folder)
        programs = [clock.give(one) if one.name == "audit" else one for one in _programs(settings, urls, folder)]
        system, targets = stack.enter_context(System(programs)), Targets(programs, folder)
        lifecycle = Lifecycle(system, settings)
        lifecycle.start(JOBS)
        lifecycle.launch(("user-2",))  # after the first one, which creates the schema
        if available():
            stack.enter_context(alertmanager(port, settings.smtp_port, folder))
        targets.show()
        watching = stack.enter_context(prometheus(_config(folder, port), folder))
        await_answer(watching, f"count(up == 1) == {len(PROCESSES)} unless on () {FIRING}")
        yield Environment(
            folder=folder,
            settings=settings,
            kafka=settings.client,
            system=system,
            postgres=server,
            urls=urls,
            volume=volume,
            clock=clock,
            prometheus=watching,
            targets=targets,
        )


def _programs(settings: WorkbenchSettings, urls: Urls, folder: Path) -> list[Program]:
    apart = ("broker", "sink", *STANDALONE)
    around = [program for program in local_programs(settings, folder) if program.name in apart]
    variables = {
        name: {**service_environment(name, settings, folder), **haste(name), "APP_DATABASE_URL": url}
        for name, url in urls.items()
    }
    # A process that ends at its ceiling stays for some scrapes, as in the charts.
    ceiling = {"APP_CONSUMER_DEAD_LETTER_CEILING": str(CEILING), "APP_DRAIN_DELAY": "4s"}
    patient = variables["notification"] | {"APP_CONSUMER_DEAD_LETTER_CEILING": "1000"}
    http, metrics = free_ports(2)
    twin = variables["user"] | {"APP_HTTP_PORT": str(http), "APP_METRICS_PORT": str(metrics)}
    return [
        *around,
        service("user", variables["user"], folder),
        _named("user-2", service("user", twin, folder)),
        service("notification", variables["notification"] | ceiling, folder),
        _named("patient", service("notification", patient, folder)),
        *(service(name, variables[name], folder) for name in SERVICES if name not in ("user", "notification")),
        lag_exporter(settings, folder),
    ]


def _named(name: str, program: Program) -> Program:
    return msgspec.structs.replace(program, name=name, log=program.log.with_name(f"{name}.log"))


def _config(folder: Path, alertmanager_port: int) -> Path:
    """Write the configuration of Prometheus; JSON is YAML."""
    rules, config = folder / "rules.yml", folder / "prometheus.yml"
    rules.write_text(text(SCALE))
    found = [{"job_name": "eventline", "file_sd_configs": [{"files": [str(folder / "targets.json")]}]}]
    sent = {"alertmanagers": [{"static_configs": [{"targets": [f"{HOST}:{alertmanager_port}"]}]}]}
    intervals = {"scrape_interval": EVERY, "scrape_timeout": EVERY, "evaluation_interval": EVERY}
    whole = {"global": intervals, "rule_files": [str(rules)], "alerting": sent, "scrape_configs": found}
    config.write_text(json.dumps(whole))
    return config


@contextlib.contextmanager
def _small_volume(place: Path) -> Iterator[Path | None]:
    place.mkdir()
    mount, umount = shutil.which("mount"), shutil.which("umount")
    size = f"size={VOLUME_MB}m"
    if not mount or not umount or not _done(mount, "-t", "tmpfs", "-o", size, "tmpfs", str(place)):
        yield None  # not root, or not allowed to
        return
    try:
        yield place
    finally:
        assert _done(umount, "--lazy", str(place)), f"{place} is still mounted: umount it"


def _done(*argv: str) -> bool:
    return subprocess.run(argv, check=False, capture_output=True).returncode == 0
