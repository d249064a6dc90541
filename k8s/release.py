"""The Helm release: installed, upgraded when something differs, removed."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from k8s.command import CONTEXT, NAMESPACE, RELEASE, CommandError, helm, kubectl, run

ROOT = Path(__file__).parent.parent
CHARTS = ROOT / "charts"
WATCHERS = ("prometheus", "alertmanager", "grafana")
VALUES = Path(__file__).with_name("values-kind.yaml")
_NAMESPACE = json.dumps(
    {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": NAMESPACE, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}},
    }
)


NODES = "KIND_KAFKA_NODES"  # 1 or 3
TLS = "KIND_KAFKA_TLS"  # anything: clients reach Kafka by TLS only


def settings(tags: Mapping[str, str], ports: Mapping[str, int], environment: Mapping[str, str]) -> list[str]:
    """Return the `--set` arguments: images by their content, how Kafka is run, ports by which parts name themselves."""
    kafka = [ports[name] for name in ("KIND_KAFKA_PORT", "KIND_KAFKA_1_PORT", "KIND_KAFKA_2_PORT")]
    values = [f"{service}.image.tag={tag}" for service, tag in tags.items()]
    values.append(f"global.kafka.replicas={environment.get(NODES, '1')}")
    values.append(f"global.kafka.tls={'true' if environment.get(TLS) else 'false'}")
    values.append(f"kafka.externalAccess.ports={{{','.join(map(str, kafka))}}}")
    for watcher in WATCHERS:
        address = f"http://127.0.0.1:{ports[f'KIND_{watcher.upper()}_PORT']}"
        values.append(f"observability.{watcher}.externalUrl={address}")
    return [argument for value in values for argument in ("--set", value)]


def fingerprint(arguments: list[str]) -> str:
    """Return a hash of all that makes the release: charts, values and arguments."""
    found = hashlib.sha256("\0".join(arguments).encode())
    for path in sorted(CHARTS.rglob("*")):
        if path.is_file() and not path.is_symlink():
            found.update(f"{path.relative_to(CHARTS)}\0".encode() + path.read_bytes())
    found.update(VALUES.read_bytes())
    return f"from {found.hexdigest()[:16]}"


def ensure_namespace() -> None:
    """Make the namespace of the release unless it is there."""
    kubectl("apply", "--filename", "-", text=_NAMESPACE)


def ensure(arguments: list[str]) -> str:
    """Install or upgrade the release unless it was made from the very same, and return what was done."""
    made_from = fingerprint(arguments)
    if _last() == ("deployed", made_from):
        return "unchanged"
    wanted = ("upgrade", "--install", RELEASE, str(CHARTS / "eventline"), "--values", str(VALUES), *arguments)
    helm(*wanted, "--description", made_from, "--timeout", "5m")
    return f"revision {_history()[-1]['revision']}"


def remove() -> bool:
    """Remove the release and its namespace, with all data; return whether there was one."""
    exists = bool(_history())
    if exists:
        helm("uninstall", RELEASE, "--wait", "--timeout", "3m")
    run("kubectl", "--context", CONTEXT, "delete", "namespace", NAMESPACE, "--ignore-not-found", "--timeout=180s")
    return exists


def _last() -> tuple[str, str] | None:
    history = _history()
    return (history[-1]["status"], history[-1]["description"]) if history else None


def _history() -> list[dict[str, str]]:
    try:
        history: list[dict[str, str]] = json.loads(helm("history", RELEASE, "--max", "1", "--output", "json"))
    except CommandError as error:
        if "not found" in error.output:
            return []
        raise
    return history
