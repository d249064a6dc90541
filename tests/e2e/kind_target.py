"""The system as `make deploy` left it in the kind cluster; it is neither made nor removed here."""

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx
import pytest

from k8s.command import CONTEXT, NAMESPACE, RELEASE, CommandError, kubectl, run
from services.chassis.kafka.settings import KafkaSettings
from services.console.logins import IN_KIND, reached
from services.console.settings import ConsoleSettings
from services.console.tokens.found_key import provide
from services.contracts.access import ADMINISTRATOR, OPERATOR
from services.contracts.service_list import KIND, SERVICES, ports
from services.workbench.polling import until
from tests.e2e import postgres_store
from tests.e2e.pods import NAME, pods
from tests.support.command_blocks import argv
from tests.support.stories.mailboxes import Mailpit
from tests.support.stories.target import BROKER, DATABASE

HOST = "127.0.0.1"
PORTS = {name: at.http for name, at in ports(KIND).items()} | {
    "mail": 28025,
    "kafka": 29092,
    "grafana": 23000,
    "prometheus": 29090,
    "alertmanager": 29903,
}
WORKLOADS = {name: f"deployment/{RELEASE}-{name}" for name in SERVICES} | {
    BROKER: f"statefulset/{RELEASE}-kafka",
    DATABASE: f"statefulset/{RELEASE}-postgres",
}
PATIENCE = "--timeout=240s"
USUAL = f'kubectl() {{ command kubectl --context {CONTEXT} --namespace {NAMESPACE} "$@"; }}'


class KindTarget(Mailpit):
    """The system in the cluster; see `target.Target`."""

    parts = frozenset(WORKLOADS)
    variables: Mapping[str, str] = {}

    def __init__(self) -> None:
        super().__init__(f"http://{address('mail')}")
        self.kafka, self.administrator = self.login(OPERATOR), self.login(ADMINISTRATOR)
        self.urls: Mapping[str, str] = {name: f"http://{address(name)}" for name in SERVICES}
        self.prometheus_url = f"http://{address('prometheus')}"
        self._replicas: dict[str, str] = {}

    def login(self, principal: str) -> KafkaSettings:
        """Return the settings of a login, with the password in its Secret."""
        return reached(ConsoleSettings(), IN_KIND, address("kafka"), os.environ, principal)

    def stop(self, part: str) -> None:
        """Scale a part to nothing, and wait until its pods have ended."""
        self._scale_down(part)
        kubectl("wait", "--for=delete", "pod", "--selector", _selector(part), PATIENCE)

    def kill(self, part: str) -> None:
        """Delete a part's pods, with a second between SIGTERM and SIGKILL, and let none come back."""
        self._scale_down(part)
        # With --force the pod's name is gone at once and its process some seconds later.
        kubectl("delete", "pod", "--selector", _selector(part), "--now")

    def start(self, part: str) -> None:
        """Scale a part to what it was; it is there when it answers."""
        self._scale_up(part)
        self._await(part)

    def rebuild_notification(self) -> None:
        """Empty the database while no pod runs, and migrate from the new pod, which waits for the schema."""
        part = "notification"
        self.stop(part)
        self.psql(postgres_store.EMPTY)
        self._scale_up(part)
        kubectl("wait", "--for=jsonpath={.status.phase}=Running", "pod", "--selector", _selector(part), PATIENCE)
        kubectl("exec", WORKLOADS[part], "--", "python", "-m", f"services.{part}", "migrate")
        self._await(part)

    def misfortunes(self) -> dict[str, str]:
        """Look for containers that were restarted."""
        return {
            f"{pod['metadata']['name']}: {status['restartCount']} restarts, {status['lastState']}": kubectl(
                "logs", pod["metadata"]["name"], "--container", status["name"], "--previous", "--tail=20"
            )
            for pod in pods()
            for status in pod["status"].get("containerStatuses", ())
            if status["restartCount"]
        }

    def replica(self) -> dict[str, str]:
        """Ask the database."""
        return postgres_store.read_replica(self.psql)

    def psql(self, sql: str) -> str:
        """Run SQL in notification's database as its superuser. Raises CommandError."""
        return kubectl("exec", WORKLOADS[DATABASE], "--", *postgres_store.command(sql))

    def operate(self, commands: str) -> str:
        """Run a runbook's commands, with our cluster and namespace as the usual ones. Raises CommandError."""
        return run(*argv(f"{USUAL}\n{commands}"))

    def _scale_down(self, part: str) -> None:
        self._replicas[part] = kubectl("get", WORKLOADS[part], "--output", "jsonpath={.spec.replicas}")
        kubectl("scale", WORKLOADS[part], "--replicas=0")

    def _scale_up(self, part: str) -> None:
        kubectl("scale", WORKLOADS[part], f"--replicas={self._replicas.pop(part)}")

    def _await(self, part: str) -> None:
        kubectl("rollout", "status", WORKLOADS[part], PATIENCE)
        if part in self.urls:
            until(f"{part} answers", lambda: httpx.get(self.urls[part], timeout=5).status_code, passing=httpx.HTTPError)


def require_deployed() -> None:
    """End the run where there is nothing to test, with advice."""
    try:
        for workload in WORKLOADS.values():
            kubectl("rollout", "status", workload, "--timeout=60s")
    except CommandError as error:
        pytest.exit(f"no whole system in namespace {NAMESPACE} of {CONTEXT}: run `make deploy` first\n{error}", 1)


@contextlib.contextmanager
def kind(folder: Path) -> Iterator[KindTarget]:
    """Yield the system that is deployed."""
    require_deployed()
    provide(IN_KIND, folder)
    with contextlib.closing(KindTarget()) as target:
        yield target


def address(name: str) -> str:
    """Return where this machine reaches a part of the cluster."""
    return f"{HOST}:{os.environ.get(f'KIND_{name.upper()}_PORT', PORTS[name])}"


def _selector(part: str) -> str:
    return (
        f"{NAME}={WORKLOADS[part].removeprefix('deployment/').removeprefix('statefulset/').removeprefix(RELEASE)[1:]}"
    )
