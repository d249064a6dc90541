"""The local system: which programs it is made of, with their environments, and their life as one.

Each part can be started, stopped and killed by name, by the demo as by the fault tests and the bench. Knows
nothing of what the services do.
"""

import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from services.audit.settings import Settings as AuditSettings
from services.chassis.kafka.settings import KafkaSettings
from services.chassis.settings.environment import PREFIX, variables
from services.chassis.transparency import key_set
from services.console.tokens import issuer
from services.contracts import access
from services.contracts.service_list import LAG_EXPORTER, STANDALONE, WITH_API
from services.workbench.local.access.secured_broker import Ports, secured_broker
from services.workbench.local.broker import broker
from services.workbench.local.ports import HOST, require_free
from services.workbench.local.processes import Process, Program, answers, probe
from services.workbench.settings import WorkbenchSettings

ROOT = Path(__file__).parents[3]
MAILS = "mails.jsonl"
KEYS = "keys"  # the folder of the keys of the audit log and its witness
CHECKPOINT = "checkpoint"
STOP_SECONDS = 30.0
BROKER_STOPPED = 128 + 15  # the exit code of a JVM after an orderly stop by SIGTERM


class System:
    """Programs by name, and those of them that run. Leaving the `with` block kills what is left."""

    def __init__(self, programs: Iterable[Program]) -> None:
        self._programs = {program.name: program for program in programs}
        self._running: dict[str, Process] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _at: TracebackType | None
    ) -> None:
        for name in list(self._running):
            self.kill(name)

    def __contains__(self, name: str) -> bool:
        return name in self._programs

    def exchange(self, program: Program) -> None:
        """Put a program in the place of the one of its name, from its next start on."""
        self._programs[program.name] = program

    def start(self, *names: str) -> None:
        """Start parts side by side, without waiting."""
        for name in names:
            self._running[name] = Process(self._programs[name])

    def wait_ready(self, seconds: float, *names: str) -> None:
        """Wait until parts can be used; raises ProcessError for the first that dies or is late."""
        for name in names:
            self._running[name].wait_ready(seconds)

    def stop(self, *names: str) -> dict[str, int]:
        """End parts side by side, each in order, and return their exit codes; raises ProcessError."""
        parts = {name: self._running.pop(name) for name in names}
        for part in parts.values():
            part.ask_to_stop()
        try:
            return {name: part.wait_end(STOP_SECONDS) for name, part in parts.items()}
        finally:
            for part in parts.values():
                part.kill()

    def kill(self, name: str) -> None:
        """End a part with SIGKILL."""
        self._running.pop(name).kill()

    def require_running(self) -> None:
        """Check that every part that was started still runs; raises ProcessError with the end of its log."""
        for process in list(self._running.values()):  # a stop in another thread removes parts
            process.require_running()

    @property
    def running(self) -> tuple[str, ...]:
        """The names of the parts that were started and not ended here."""
        return tuple(self._running)

    def process(self, name: str) -> Process:
        """Return a part that runs; raises KeyError."""
        return self._running[name]


def local_programs(settings: WorkbenchSettings, folder: Path) -> list[Program]:
    """Return the whole system with its stores, logs and mails in a folder; the broker only if none was given.

    Makes the keys of the audit log and its witness if the folder has none. Raises what `broker` raises.
    """
    programs = [sink(settings.smtp_port, folder)]
    if not settings.kafka_bootstrap_servers:
        programs.append(_broker(settings, folder / "broker"))
    services = [service(name, service_environment(name, settings, folder), folder) for name in WITH_API]
    return [*programs, *services, lag_exporter(settings, folder)]


def _broker(settings: WorkbenchSettings, state: Path) -> Program:
    jars = settings.state_dir / "kafka"
    if not settings.secure:
        return broker(settings.broker_port, settings.controller_port, jars=jars, state=state)
    ports = Ports(settings.broker_port, settings.broker_internal_port, settings.controller_port)
    return secured_broker(ports, jars, state, settings.logins())


def sink(port: int, folder: Path) -> Program:
    """Return the mail sink; mails go to the file MAILS in the folder."""
    argv = (sys.executable, "-m", "services.workbench", "sink", str(port), str(folder / MAILS))
    return Program("sink", argv, clean_environment({}), folder / "sink.log", lambda: answers(HOST, port))


def service(name: str, environment: Mapping[str, str], folder: Path) -> Program:
    """Return a service with exactly these `APP_*` variables; it is ready when /readyz answers 200."""
    argv = (sys.executable, "-m", f"services.{name}")
    port = int(environment["APP_METRICS_PORT"])
    log = folder / f"{name}.log"
    return Program(name, argv, clean_environment(environment), log, lambda: probe(HOST, port, "/readyz"))


def lag_exporter(settings: WorkbenchSettings, folder: Path, interval: str = "1s") -> Program:
    """Return the lag exporter; it is ready once it has read the lag of every group."""
    environment = {
        **variables(KafkaSettings, settings.client_of(access.LAG_EXPORTER)),
        "APP_HTTP_HOST": HOST,
        "APP_METRICS_PORT": str(settings.console_metrics_port),
        "APP_PROBE_EVERY": interval,
    }
    argv, log = (sys.executable, "-m", "services.console", "probe"), folder / f"{LAG_EXPORTER}.log"
    ready = partial(probe, HOST, settings.console_metrics_port, "/readyz")
    return Program(LAG_EXPORTER, argv, clean_environment(environment), log, ready)


def service_environment(name: str, settings: WorkbenchSettings, folder: Path) -> dict[str, str]:
    """Return a service's `APP_*` variables: its own store in the folder, its ports from the settings."""
    environment = {
        **({} if name in STANDALONE else variables(KafkaSettings, settings.client_of(name))),
        "APP_DATABASE_URL": f"sqlite:///{folder.absolute() / name}.db",
        "APP_HTTP_HOST": HOST,
        "APP_HTTP_PORT": str(settings.port(name)),
        "APP_METRICS_PORT": str(settings.metrics_port(name)),
        **_authentication(settings),
    }
    if name == "notification":
        environment |= {"APP_SMTP_HOST": HOST, "APP_SMTP_PORT": str(settings.smtp_port)}
    if name == "witness":
        keys = _keys(settings, folder)
        environment |= {
            "APP_WITNESS_KEY_FILE": str(keys / key_set.WITNESS_KEY),
            "APP_WITNESS_LOGS_FILE": str(keys / key_set.LOGS),
        }
    if name == "audit":
        keys = _keys(settings, folder)
        environment |= {
            "APP_AUDIT_KEY_FILE": str(keys / key_set.LOG_KEY),
            "APP_AUDIT_POLICY_FILE": str(keys / key_set.POLICY),
            "APP_AUDIT_CHECKPOINT_FILE": str(folder.absolute() / CHECKPOINT),
        }
    return environment


def _authentication(settings: WorkbenchSettings) -> dict[str, str]:
    """Return the settings with which an API accepts the tokens that our clients make; none if they make none."""
    if not settings.token_key_file:
        return {}
    return {
        "APP_AUTH": "jwt",
        "APP_AUTH_JWKS_FILE": str(Path(settings.token_key_file).absolute().with_name(issuer.PUBLIC)),
        "APP_AUTH_ISSUER": settings.auth_issuer,
        "APP_AUTH_AUDIENCE": settings.auth_audience,
    }


def _keys(settings: WorkbenchSettings, folder: Path) -> Path:
    """Return the folder with the keys of the audit log and its witness, which are made if they are missing."""
    keys, url = folder.absolute() / KEYS, f"http://{HOST}:{settings.port('witness')}"
    key_set.ensure(keys, key_set.Parties(AuditSettings.audit_origin, key_set.WITNESS, url))
    return keys


def clean_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """Return this process's environment with no `APP_*` variable but the given ones."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    return inherited | {"PYTHONPATH": str(ROOT)} | dict(extra)


def verify_audit(
    settings: WorkbenchSettings, folder: Path, copy: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the audit service's own verification of its store in the folder, or with the policy of a copy of it."""
    environment = service_environment("audit", settings, folder)
    argv = [sys.executable, "-m", "services.audit", "verify"]
    if copy is not None:
        environment["APP_DATABASE_URL"] = f"sqlite:///{copy.absolute()}"
        argv += ["--policy", environment["APP_AUDIT_POLICY_FILE"]]
    return subprocess.run(argv, env=clean_environment(environment), capture_output=True, text=True, check=False)  # ours


def require_ports(settings: WorkbenchSettings, *more: str) -> None:
    """Check that every port of the local run is free, and more by their settings; raises PortTakenError naming them."""
    names = {"smtp_port", "console_metrics_port", *more} | {
        f"{name}_{kind}" for name in WITH_API for kind in ("port", "metrics_port")
    }
    if not settings.kafka_bootstrap_servers:
        names |= {"broker_port", "controller_port", *(["broker_internal_port"] if settings.secure else [])}
    require_free({PREFIX + name.upper(): getattr(settings, name) for name in sorted(names)})
