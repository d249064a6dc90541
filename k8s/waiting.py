"""Waits until the release is up, and tells why it is not: which pod, its state, its events, its last log lines."""

import time
from typing import Any

from k8s.command import CommandError, DeployError, kubectl, objects
from k8s.workloads import KINDS, NAME, Workload, explained, failed, hopeless, ordered, pending, ready

POLL_SECONDS = 0.5
PATIENCE_SECONDS = 300.0
LOG_LINES = 15
EVENTS = 6


def present() -> list[Workload]:
    """Return what the release runs, in order."""
    return ordered(objects(KINDS, "--selector", "app.kubernetes.io/part-of=eventline"))


def wait(workload: Workload, seconds: float = PATIENCE_SECONDS) -> None:
    """Wait for one workload; raises DeployError with the reason when it fails or the time is over."""
    deadline = time.monotonic() + seconds
    while (seen := pending(found := _found(workload))) is not None:
        if why := failed(found) or _hopeless(workload):
            raise DeployError(f"{workload.reference} failed: {why}\n{diagnosis(workload.part)}")
        if time.monotonic() > deadline:
            raise DeployError(
                f"{workload.reference} is not ready after {seconds:g} s: {seen}\n{diagnosis(workload.part)}"
            )
        time.sleep(POLL_SECONDS)


def diagnosis(part: str = "") -> str:
    """Return what there is to know about the pods that are not ready: of one part, else of all."""
    selector = f"{NAME}={part}" if part else "app.kubernetes.io/part-of=eventline"
    pods = [pod for pod in objects("pods", "--selector", selector) if not ready(pod)]
    lines = [line for pod in pods for line in _about(pod)]
    return "\n".join(lines or ["no pod is there; what happened last:", *_events("")])


def _found(workload: Workload) -> dict[str, Any]:
    (found,) = objects(workload.kind, "--field-selector", f"metadata.name={workload.name}")
    return found


def _hopeless(workload: Workload) -> str | None:
    pods = objects("pods", "--selector", f"{NAME}={workload.part}")
    return next((why for pod in pods if (why := hopeless(pod))), None)


def _about(pod: dict[str, Any]) -> list[str]:
    name = pod["metadata"]["name"]
    status = pod.get("status", {})
    lines = [f"\npod {name}: {status.get('phase')}"]
    lines += [f"  {each['name']}: {explained(each)}" for each in status.get("containerStatuses", ())]
    lines += [
        f"  {each['type']} is {each['status']}: {each['message']}"
        for each in status.get("conditions", ())
        if each["status"] != "True" and each.get("message")
    ]
    lines += _events(name)
    lines += _log(name, previous=_between_starts(status))
    return [*lines, f"  more: kubectl --context kind-eventline -n eventline describe pod {name}"]


def _between_starts(status: dict[str, Any]) -> bool:
    containers = status.get("containerStatuses", ())
    return any("waiting" in each.get("state", {}) and each["restartCount"] for each in containers)


def _events(name: str) -> list[str]:
    about = f",involvedObject.name={name}" if name else ""
    events = objects("events", "--field-selector", f"type=Warning{about}", "--sort-by", ".lastTimestamp")
    return [
        f"  event {each['reason']} ({each['involvedObject']['name']}): {each['message']}" for each in events[-EVENTS:]
    ]


def _log(name: str, *, previous: bool) -> list[str]:
    arguments = ["logs", name, "--tail", str(LOG_LINES), *(["--previous"] if previous else [])]
    try:
        output = kubectl(*arguments)
    except CommandError:
        return ["  it wrote no log"]
    return ["  its last log lines:", *(f"    {line}" for line in output.splitlines())]
