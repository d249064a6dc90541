"""Pods of the charts: small, without rights they do not need, and never restarted."""

from typing import Any

from k8s.command import kubectl
from k8s.usage import MIB, now, table
from services.contracts.service_list import SERVICES
from services.workbench.polling import until
from tests.e2e.pods import NAME, pods, value
from tests.support.stories.target import Target

MOST_AT_REST = 1.2 * 1024 * MIB
WHOLE = (*SERVICES, "kafka", "postgres", "mail")
TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount"  # noqa: S105  # a path
DISCOVERS = "prometheus"  # the one who may ask the API server
LOOK = f"id -u; ls -d {TOKEN} 2>/dev/null; touch /e2e-probe 2>/dev/null && echo writable; exit 0"


def test_the_idle_system_is_small(target: Target) -> None:
    assert target.parts
    used = until("a summary with every part", now, lambda found: {*found} >= {*WHOLE}, 120.0)
    print(table(used))  # noqa: T201  # figures to be read
    whole = sum(used[name].memory for name in WHOLE)
    assert whole < MOST_AT_REST, f"{whole / MIB:,.0f} MiB: {used}"


def test_no_pod_has_a_token_or_root_or_a_root_file_system_that_it_can_write(target: Target) -> None:
    assert target.parts
    wrong = [problem for pod in pods() for problem in problems(pod)]
    assert wrong == []


def problems(pod: dict[str, Any]) -> list[str]:
    """Return what a pod may do that it should not, by its description and by its containers."""
    name, spec = pod["metadata"]["name"], pod["spec"]
    found = []
    for container in spec["containers"]:
        place, may_ask = f"{name}/{container['name']}", pod["metadata"]["labels"][NAME] == DISCOVERS
        mounts = [mount["mountPath"] for mount in container.get("volumeMounts", [])]
        if TOKEN in mounts and not may_ask:
            found.append(f"{place} mounts a service-account token")
        if not (value(container, "securityContext.runAsNonRoot") or value(spec, "securityContext.runAsNonRoot")):
            found.append(f"{place} may run as root")
        if not value(container, "securityContext.readOnlyRootFilesystem"):
            found.append(f"{place} has a writable root file system")
        report = run_in(name, container["name"]).split()
        if report[:1] == ["0"] or "writable" in report or (TOKEN in report and not may_ask):
            found.append(f"{place} reports {report}")
    return found


def run_in(pod: str, container: str) -> str:
    """Return a container's own report."""
    return kubectl("exec", pod, "--container", container, "--", "sh", "-c", LOOK)
