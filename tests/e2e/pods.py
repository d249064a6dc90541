"""Pods of the deployed release: their objects, and Python programs run in them."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from k8s.command import NAMESPACE, RELEASE, kubectl, objects, run

NAME = "app.kubernetes.io/name"
# Their controllers write the status, and with it another resourceVersion.
WITH_STATUS = {
    "Deployment",
    "Job",
    "NetworkPolicy",
    "PersistentVolumeClaim",
    "Pod",
    "PodDisruptionBudget",
    "StatefulSet",
}


def pods(*names: str) -> list[dict[str, Any]]:
    """Return the pods that have not ended, of all parts or of the named ones."""
    selector = f"{NAME} in ({','.join(names)})" if names else NAME
    found = objects("pods", "--selector", selector)
    return [pod for pod in found if pod["status"]["phase"] not in ("Succeeded", "Failed")]


def python(service: str, program: str, *arguments: str) -> Any:  # whatever the program prints
    """Run a Python program in a service's pod and return its output, decoded from JSON. Raises CommandError."""
    return json.loads(kubectl("exec", f"deployment/{RELEASE}-{service}", "--", "python", "-c", program, *arguments))


def version(found: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what tells that somebody wrote an object, or that its container began again."""
    metadata = found["metadata"]
    written = () if found["kind"] in WITH_STATUS else (metadata["resourceVersion"],)
    restarts = (str(one["restartCount"]) for one in value(found, "status.containerStatuses") or ())
    return (metadata["uid"], str(metadata.get("generation", "")), *written, *restarts)


def kubeconfig(cluster: str, folder: Path) -> Path:
    """Write a file by which programs reach a cluster and our namespace, whatever the usual ones are."""
    path = folder / "kubeconfig"
    path.write_text(run("kind", "get", "kubeconfig", "--name", cluster))
    run("kubectl", "--kubeconfig", str(path), "config", "set-context", "--current", "--namespace", NAMESPACE)
    return path


def value(found: Mapping[str, Any], path: str) -> Any:  # JSON
    """Return the value at a dotted path, None if there is none."""
    for part in path.split("."):
        found = (found or {}).get(part)  # type: ignore[assignment]
    return found
