"""The system as docker-compose.yml describes it, as a project of its own on ports of its own."""

import contextlib
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from k8s.command import CommandError, DeployError, run
from services.chassis.kafka.settings import KafkaSettings
from services.console.logins import DOCKER_COMPOSE, reached
from services.console.settings import ConsoleSettings
from services.console.tokens.found_key import KEY_FILE
from services.console.tokens.issuer import PRIVATE
from services.contracts.access import ADMINISTRATOR, OPERATOR
from services.contracts.service_list import SERVICES
from services.workbench.local.free_ports import free_ports
from services.workbench.local.ports import HOST
from tests.e2e import postgres_store
from tests.e2e.runbook import for_compose
from tests.support.command_blocks import argv
from tests.support.stories.mailboxes import Mailpit
from tests.support.stories.target import BROKER, DATABASE

FILE = Path(__file__).parents[2] / "docker-compose.yml"
PROJECT = "eventline-e2e"
PARTS = {name: name for name in SERVICES} | {BROKER: "kafka", DATABASE: "postgres"}
PORTS = tuple(sorted(set(re.findall(r"\$\{(\w+_PORT):-", FILE.read_text()))))  # all: two projects share none
STATE = "{{.Name}}: restarts={{.RestartCount}} oom={{.State.OOMKilled}}"
FINE = ": restarts=0 oom=false"


class ComposeTarget(Mailpit):
    """The running project; see `target.Target`."""

    parts = frozenset(PARTS)

    def __init__(self, ports: Mapping[str, int]) -> None:
        super().__init__(f"http://{HOST}:{ports['MAIL_PORT']}")
        self.variables = {name: str(port) for name, port in ports.items()} | {"COMPOSE_PROJECT_NAME": PROJECT}
        self._environment = dict(os.environ) | self.variables
        self._broker = f"{HOST}:{ports['KAFKA_PORT']}"
        self.kafka, self.administrator = self.login(OPERATOR), self.login(ADMINISTRATOR)
        self.prometheus_url = f"http://{HOST}:{ports['PROMETHEUS_PORT']}"
        self.urls: Mapping[str, str] = {name: f"http://{HOST}:{ports[f'{name.upper()}_PORT']}" for name in SERVICES}

    def login(self, principal: str) -> KafkaSettings:
        """Return the settings of a login, with the password that the file has."""
        return reached(ConsoleSettings(), DOCKER_COMPOSE, self._broker, os.environ, principal)

    def compose(self, *arguments: str, file: Path = FILE, **variables: str) -> str:
        """Return what docker compose wrote, with further variables of the file. Raises CommandError."""
        command = ("docker", "compose", "--project-name", PROJECT, "--file", str(file))
        return run(*command, *arguments, environment=self._environment | variables)

    def stop(self, part: str) -> None:
        """Stop a container."""
        self.compose("stop", PARTS[part])

    def kill(self, part: str) -> None:
        """Kill a container."""
        self.compose("kill", PARTS[part])

    def start(self, part: str) -> None:
        """Start a container, and wait until it is healthy."""
        self.compose("up", "--detach", "--wait", "--no-deps", "--no-recreate", PARTS[part])

    def rebuild_notification(self) -> None:
        """Empty the database while the service is stopped; it migrates when it starts."""
        self.stop("notification")
        self.psql(postgres_store.EMPTY)
        self.start("notification")

    def misfortunes(self) -> dict[str, str]:
        """Look for containers that were restarted by their policy or that the kernel ended."""
        containers = self.compose("ps", "--all", "--quiet").split()
        lines = run("docker", "inspect", "--format", STATE, *containers).splitlines()
        return {line: self._said(line) for line in lines if not line.endswith(FINE)}

    def replica(self) -> dict[str, str]:
        """Ask the database."""
        return postgres_store.read_replica(self.psql)

    def psql(self, sql: str) -> str:
        """Run SQL in notification's database as its superuser. Raises CommandError."""
        return self.compose("exec", "--no-TTY", PARTS[DATABASE], *postgres_store.command(sql))

    def operate(self, commands: str) -> str:
        """Run a runbook's commands, translated for docker compose. Raises CommandError."""
        return run(*argv(for_compose(commands)), environment=self._environment)

    def _said(self, line: str) -> str:
        return run("docker", "logs", "--tail", "60", line.partition(":")[0].strip("/"))


@contextlib.contextmanager
def compose(folder: Path) -> Iterator[ComposeTarget]:
    """Yield the project, brought up from the images that `make images` built; it is removed with its volumes."""
    with contextlib.closing(ComposeTarget(dict(zip(PORTS, free_ports(len(PORTS)), strict=True)))) as target:
        try:
            _up(target)
            key = folder / PRIVATE
            target.compose("cp", f"token-keys:/keys/{PRIVATE}", str(key))
            os.environ[KEY_FILE] = str(key)
            yield target
        finally:
            os.environ.pop(KEY_FILE, None)
            target.compose("--profile", "*", "down", "--volumes", "--remove-orphans", "--timeout", "10")


def _up(target: ComposeTarget) -> None:
    try:
        target.compose("up", "--detach", "--wait", "--no-build")
    except CommandError as error:
        logs = target.compose("logs", "--no-color", "--tail", "10")
        raise DeployError(
            f"{error}\n`make images` makes images that are missing; the ends of the logs:\n{logs}"
        ) from None
