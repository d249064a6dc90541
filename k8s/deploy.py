"""`make deploy`: the cluster, our images, the release, and then each part in the order in which it comes up."""

import getpass
import os
import tempfile
from datetime import timedelta
from pathlib import Path

from rich.console import Console

from k8s import cluster, images, release, waiting
from k8s.command import CommandError, DeployError
from k8s.ports import KIND_CONFIG, host_ports
from k8s.steps import Steps
from services.console.logins import IN_KIND
from services.console.tokens.found_key import fetch
from services.console.tokens.issuer import PRIVATE, read_key
from services.console.tokens.settings import TokenSettings
from services.contracts.service_list import SERVICES

VALID = timedelta(hours=1)
MORE = "More of them: .eventline/venv/bin/python -m services.console token --role write --for 1h\n"
TITLES = {
    "kafka": "Kafka answers",
    "console-topics": "Topics are made",
    "postgres": "PostgreSQL answers",
    "mail": "Mail is taken",
    "console": "The lag probe is ready",
}


def ports() -> dict[str, int]:
    """Return the host ports, by their variables."""
    return host_ports(os.environ, KIND_CONFIG.read_text())


def make_cluster(steps: Steps) -> None:
    """Make the cluster unless it is there."""
    with steps.step("A kind cluster") as step:
        step.note = cluster.ensure(ports())


def deploy(console: Console) -> None:
    """Bring everything up; a second time changes nothing."""
    steps = Steps(console)
    wanted = images.tags()
    make_cluster(steps)
    with steps.step("Images are in the cluster") as step:
        step.note = images.load(wanted)
    with steps.step("The Helm release") as step:
        release.ensure_namespace()
        step.note = _release(release.settings(wanted, ports(), os.environ))
    for workload in waiting.present():
        with steps.step(_title(workload.part)) as step:
            step.note = workload.reference
            waiting.wait(workload)
    console.print(f"\nEventline is up, after {steps.total():.0f} s.\n", highlight=False)
    console.print(outro(ports(), _token()), highlight=False, soft_wrap=True)


def _release(arguments: list[str]) -> str:
    """Upgrade; the output of a hook's pod belongs to the error."""
    try:
        return release.ensure(arguments)
    except CommandError as error:
        raise DeployError(f"{error}\n{waiting.diagnosis()}") from error


def _token() -> str:
    """Return a token of the release's development issuer, valid for an hour; nothing where it has none."""
    with tempfile.TemporaryDirectory() as folder:
        key = Path(folder) / PRIVATE
        if not fetch(IN_KIND, key):
            return ""
        issuer = read_key(key, TokenSettings.auth_issuer, TokenSettings.auth_audience)
        return issuer.token(getpass.getuser(), ("read", "write"), VALID)


def _title(part: str) -> str:
    if part.endswith("-migrate"):
        return f"The {part.removesuffix('-migrate')} schema is there"
    return TITLES.get(part, f"{part.capitalize()} is ready")


def outro(ports: dict[str, int], token: str = "") -> str:
    """Return where everything is and what to try next."""
    at = {name.removeprefix("KIND_").removesuffix("_PORT").lower(): f"127.0.0.1:{port}" for name, port in ports.items()}
    apis = "\n".join(f"  {f'{name} API':16}  http://{at[name]}/schema" for name in SERVICES)
    metrics = ", ".join(at[f"{name}_metrics"] for name in SERVICES)
    header = f" -H 'Authorization: Bearer {token}'" if token else ""
    return f"""\
{apis}
  mail              http://{at["mail"]}
  Grafana           http://{at["grafana"]}
  Prometheus        http://{at["prometheus"]}
  Alertmanager      http://{at["alertmanager"]}
  Kafka             {at["kafka"]}
  metrics           http://{metrics}: each with /metrics

Register somebody{", with a token that is valid for an hour" if token else ""}:
  curl -i http://{at["user"]}/users -H 'Content-Type: application/json'{header} \\
    -d '{{"login": "ada", "email": "ada@example.org", "full_name": "Ada Lovelace"}}'
{MORE if token else ""}
Grafana shows itself to everybody. The passwords of its user admin, of PostgreSQL's user user and of Kafka's operator:
  kubectl -n eventline get secret eventline-grafana-admin --template '{{{{index .data "admin-password"}}}}' | base64 -d
  kubectl -n eventline get secret eventline-postgres-user --template '{{{{.data.password}}}}' | base64 -d
  kubectl -n eventline get secret eventline-kafka-operator --template '{{{{.data.password}}}}' | base64 -d

Next:
  make e2e TARGET=kind                                     the stories, against this cluster
  kubectl -n eventline get pods                            what runs
  make undeploy                                            remove the release and its data
  make destroy                                             remove the cluster"""
