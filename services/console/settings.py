"""Settings of the operator tools: which broker to ask, and where the local system of this checkout is."""

import shlex
from dataclasses import fields, replace
from datetime import timedelta
from pathlib import Path
from typing import Self, TypeVar

from services.chassis.kafka.security import KafkaSecurity
from services.chassis.kafka.settings import KafkaSettings, NamePrefix
from services.chassis.settings.environment import PREFIX as VARIABLES
from services.chassis.settings.environment import Port, settings
from services.console.tokens.settings import TokenSettings
from services.contracts.access import PREFIX
from services.contracts.service_list import LAG_EXPORTER_SLOT, LOCAL, ports

LOCALHOST = "127.0.0.1"
RUNNING = "running"
OPERATOR_FILE = "operator.env"  # in the folder of a secured system: a line NAME=value for each variable
OPERATORS = (KafkaSecurity, TokenSettings)
T = TypeVar("T")
S = TypeVar("S", bound="ConsoleSettings")


def with_service_ports(kind: type[T]) -> type[T]:
    """Add to a class of settings the ports of every service: `NAME_port` and `NAME_metrics_port`."""
    for name, at in ports(LOCAL).items():
        for field, port in ((f"{name}_port", at.http), (f"{name}_metrics_port", at.metrics)):
            kind.__annotations__[field] = Port
            setattr(kind, field, port)
    return kind


@settings
@with_service_ports
class ConsoleSettings(KafkaSettings, TokenSettings):
    """Without `kafka_bootstrap_servers` the broker of the local system is meant.

    `deadline` bounds every wait: for a process to be ready, for an answer, for effects to arrive. `rights_passwords` is
    a folder with the password of each principal, whose names in Kafka begin with `rights_prefix`.
    Each service has a `NAME_port` and a `NAME_metrics_port` as well.
    """

    kafka_bootstrap_servers: str = ""
    state_dir: Path = Path(".eventline")
    deadline: timedelta = timedelta(seconds=60)
    rights_passwords: str = ""
    rights_prefix: NamePrefix = PREFIX
    broker_port: Port = 19092
    controller_port: Port = 19093
    broker_internal_port: Port = 19094
    smtp_port: Port = 12525
    console_metrics_port: Port = LOCAL.ports(LAG_EXPORTER_SLOT).metrics
    page_port: Port = 18000

    def problems(self) -> list[str]:
        """Return contradictions between settings, a line each."""
        if self.kafka_bootstrap_servers or self.kafka_security_protocol == "plaintext":
            return super().problems()
        setting = f"APP_KAFKA_SECURITY_PROTOCOL={self.kafka_security_protocol}"
        advice = "set APP_KAFKA_BOOTSTRAP_SERVERS to the broker that is meant"
        return [f"{setting}, but the local system's broker uses plaintext: {advice}"]

    @property
    def bootstrap_servers(self) -> str:
        """The address of the broker that was given, or else of the local system's."""
        return self.kafka_bootstrap_servers or f"{LOCALHOST}:{self.broker_port}"

    @property
    def client(self) -> Self:
        """These settings with the broker's address filled in."""
        return replace(self, kafka_bootstrap_servers=self.bootstrap_servers)

    def port(self, service: str) -> int:
        """Return the port of a service's API in the local system."""
        port: int = getattr(self, f"{service}_port")
        return port

    def metrics_port(self, service: str) -> int:
        """Return the port of a service's metrics in the local system."""
        port: int = getattr(self, f"{service}_metrics_port")
        return port

    def running_folder(self) -> Path:
        """Return the folder of the local system that runs, or ran last: `run`, or what `make run STATE=` named."""
        note = self.state_dir / RUNNING
        return self.folder(note.read_text() if note.exists() else "run")

    def note_running(self, folder: Path) -> None:
        """Remember the folder of the local system that starts, for the commands beside it."""
        self.state_dir.mkdir(parents=True, exist_ok=True)
        (self.state_dir / RUNNING).write_text(folder.name)

    def operator_login(self) -> dict[str, str]:
        """Return the operator's settings by their fields, login and token, which a secured local system leaves.

        There are none where the system is not secured.
        """
        file = self.running_folder() / OPERATOR_FILE
        lines = (line.partition("=") for line in shlex.split(file.read_text())) if file.exists() else ()
        known = {VARIABLES + field.name.upper(): field.name for kind in OPERATORS for field in fields(kind)}
        return {known[name]: value for name, _, value in lines if name in known}

    def folder(self, command: str) -> Path:
        """Return where a command of the workbench keeps its stores, logs and mails; each command has its own."""
        return self.state_dir.absolute() / command
