"""Workloads of the release, in their order of start, and the readiness of each. Judges objects; does no I/O."""

from typing import Any, NamedTuple

from services.contracts.service_list import JOBS, SERVICES

# By the label app.kubernetes.io/name: what a later one needs comes earlier. Others come last.
ORDER = (
    "kafka",
    "console-topics",
    "postgres",
    *(f"{name}-migrate" for name in SERVICES),
    "mail",
    *JOBS,
    "prometheus",
    "alertmanager",
    "grafana",
)
KINDS = "statefulsets,deployments,jobs"
NAME = "app.kubernetes.io/name"
_HOPELESS = {"ErrImageNeverPull", "ImagePullBackOff", "InvalidImageName"}
_RESTARTS = 3  # so many crashes are no slow start any more


class Workload(NamedTuple):
    """A StatefulSet, Deployment or Job of the release."""

    kind: str
    name: str
    part: str

    @property
    def reference(self) -> str:
        """Return what kubectl calls it."""
        return f"{self.kind.lower()}/{self.name}"


def ordered(found: list[dict[str, Any]]) -> list[Workload]:
    """Return the workloads in the order in which they come up."""
    workloads = [
        Workload(each["kind"], each["metadata"]["name"], each["metadata"]["labels"].get(NAME, "")) for each in found
    ]
    rank = {part: place for place, part in enumerate(ORDER)}
    return sorted(workloads, key=lambda workload: (rank.get(workload.part, len(ORDER)), workload.name))


def pending(workload: dict[str, Any]) -> str | None:
    """Return what a workload still waits for, or None once it is up to date and ready."""
    if workload["kind"] == "Job":
        return None if _condition(workload, "Complete") else "not complete"
    status, wanted = workload.get("status", {}), workload["spec"]["replicas"]
    if status.get("observedGeneration", 0) < workload["metadata"]["generation"]:
        return "the change is not seen yet"
    updated, ready = status.get("updatedReplicas", 0), status.get("readyReplicas", 0)
    if updated == ready == status.get("replicas", 0) == wanted > 0:
        return None
    return f"{updated} of {wanted} up to date, {ready} ready"


def failed(workload: dict[str, Any]) -> str | None:
    """Return why a workload will not come up by itself, as far as its status shows it."""
    if workload["kind"] == "Job" and (condition := _condition(workload, "Failed")):
        return f"{condition.get('reason')}: {condition.get('message')}"
    if workload["spec"].get("replicas") == 0:
        return "somebody scaled it to 0 replicas: `kubectl scale --replicas 1` brings it back"
    return None


def hopeless(pod: dict[str, Any]) -> str | None:
    """Return why a pod will not come up by itself, as far as its status shows it."""
    for container in pod.get("status", {}).get("containerStatuses", ()):
        waiting = container.get("state", {}).get("waiting", {})
        if waiting.get("reason") in _HOPELESS or container["restartCount"] >= _RESTARTS:
            return explained(container)
    return None


def explained(container: dict[str, Any]) -> str:
    """Return the state of a container in a line."""
    state: dict[str, dict[str, Any]] = container.get("state", {})
    (kind, detail), *_ = state.items() or [("unknown", {})]
    parts = [kind, detail.get("reason"), detail.get("message"), f"restarts {container['restartCount']}"]
    if last := container.get("lastState", {}).get("terminated"):
        parts.append(f"last exit code {last['exitCode']} ({last.get('reason')})")
    return ", ".join(word for word in parts if word)


def ready(pod: dict[str, Any]) -> bool:
    """Return whether a pod serves, or has done its work."""
    if pod.get("status", {}).get("phase") == "Succeeded":
        return True
    return any(
        condition["type"] == "Ready" and condition["status"] == "True"
        for condition in pod.get("status", {}).get("conditions", ())
    )


def _condition(workload: dict[str, Any], kind: str) -> dict[str, Any] | None:
    conditions = workload.get("status", {}).get("conditions", ())
    return next((each for each in conditions if each["type"] == kind and each["status"] == "True"), None)
