"""`python -m k8s usage`: what each part of the release takes, by the kubelets, beside what it asks for and may take."""

import json
import time
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from k8s.command import NAMESPACE, kubectl, objects
from k8s.workloads import NAME

EVERY_SECONDS = 2.0
MIB = 1024**2
NANO = 1e-9


class Usage(NamedTuple):
    """Bytes of working set, and cores."""

    memory: int
    cores: float


def watch(seconds: float) -> dict[str, Usage]:
    """Look for so long, once at least, and return the most that each part took."""
    peaks: dict[str, Usage] = {}
    deadline = time.monotonic() + seconds
    while True:
        for part, seen in now().items():
            before = peaks.get(part, seen)
            peaks[part] = Usage(max(before.memory, seen.memory), max(before.cores, seen.cores))
        if time.monotonic() > deadline:
            return peaks
        time.sleep(EVERY_SECONDS)


def now() -> dict[str, Usage]:
    """Return what each part takes by the kubelets' summaries, several pods' together; figures are seconds old."""
    parts = {pod["metadata"]["name"]: pod["metadata"]["labels"][NAME] for pod in _pods()}
    nodes = [node["metadata"]["name"] for node in objects("nodes")]
    summaries = [json.loads(kubectl("get", "--raw", f"/api/v1/nodes/{node}/proxy/stats/summary")) for node in nodes]
    return summed((pod for summary in summaries for pod in summary["pods"]), parts)


def summed(pods: Iterable[Mapping[str, Any]], parts: Mapping[str, str]) -> dict[str, Usage]:
    """Return what each part takes, from the pods of summaries; a pod that has not been measured yet is left out."""
    found: dict[str, Usage] = {}
    for pod in pods:
        part = parts.get(pod["podRef"]["name"])
        memory = pod.get("memory", {}).get("workingSetBytes")
        if pod["podRef"]["namespace"] == NAMESPACE and part and memory is not None:
            before = found.get(part, Usage(0, 0.0))
            cores = pod.get("cpu", {}).get("usageNanoCores", 0) * NANO
            found[part] = Usage(before.memory + memory, before.cores + cores)
    return found


def table(seen: Mapping[str, Usage]) -> str:
    """Return a table in Markdown."""
    declared = {pod["metadata"]["labels"][NAME]: pod["spec"]["containers"][0]["resources"] for pod in _pods()}
    rows = [_row(part, usage, declared.get(part, {})) for part, usage in sorted(seen.items())]
    whole = f"| all | {sum(usage.memory for usage in seen.values()) / MIB:,.0f} | | | | |"
    head = "| Part | Memory, MiB | requested | limit | CPU, millicores | requested |"
    return "\n".join([head, "|---|---|---|---|---|---|", *rows, whole])


def _row(part: str, usage: Usage, declared: Mapping[str, Mapping[str, str]]) -> str:
    requests, limits = declared.get("requests", {}), declared.get("limits", {})
    cells = (
        part,
        f"{usage.memory / MIB:,.0f}",
        requests.get("memory", ""),
        limits.get("memory", ""),
        f"{usage.cores * 1000:,.0f}",
        requests.get("cpu", ""),
    )
    return f"| {' | '.join(cells)} |"


def _pods() -> list[dict[str, Any]]:
    found = objects("pods", "--selector", "app.kubernetes.io/part-of=eventline")
    return [pod for pod in found if pod["status"]["phase"] == "Running"]
