"""Properties of every pod of the charts, with every values file."""

from pathlib import Path
from typing import Any

import pytest

from tests.charts.helm import Helm, Resource, given
from tests.charts.pods import Pod, pods

pytestmark = pytest.mark.charts
with_values = pytest.mark.parametrize(
    ("chart", "values"), [pytest.param(chart, path, id=f"{chart}-{path.stem}") for chart, path in given()]
)
# One asks the API server what to scrape, the others give it new Secrets.
NEEDS_TOKEN = {"prometheus", "audit-keys", "console-secrets", "postgres-secrets", "observability-secrets"}


@with_values
def test_every_pod_is_restricted(helm: Helm, chart: str, values: Path) -> None:
    for pod in pods(helm.resources(chart, "--values", values)):
        assert _lax(pod) == [], pod.name


@with_values
def test_every_pod_without_a_reason_has_no_token_and_no_injected_names(helm: Helm, chart: str, values: Path) -> None:
    for pod in pods(helm.resources(chart, "--values", values)):
        assert pod.spec.get("enableServiceLinks") is False, pod.name
        if pod.labels["app.kubernetes.io/name"] not in NEEDS_TOKEN:
            assert pod.spec.get("automountServiceAccountToken") is False, pod.name


@with_values
def test_every_container_reports_what_memory_it_needs_and_may_take(helm: Helm, chart: str, values: Path) -> None:
    for pod in pods(helm.resources(chart, "--values", values)):
        for container in pod.containers:
            assert "memory" in container["resources"]["requests"], pod.name
            assert "memory" in container["resources"]["limits"], pod.name


def test_every_pod_of_the_whole_is_held_by_a_policy_of_its_own_beside_the_denial(helm: Helm) -> None:
    resources = helm.resources("eventline")
    selectors = [policy["spec"]["podSelector"]["matchLabels"] for policy in _of_kind(resources, "NetworkPolicy")]
    for pod in pods(resources):
        held = [selector for selector in selectors if selector.items() <= pod.labels.items()]
        assert {"app.kubernetes.io/part-of": "eventline"} in held, pod.name
        assert len(held) > 1, f"{pod.name} may reach nothing, and nobody may reach it"


def test_no_service_finds_the_pods_of_jobs_and_tests(helm: Helm) -> None:
    resources = helm.resources("eventline")
    selectors = [service["spec"]["selector"] for service in _of_kind(resources, "Service")]
    for pod in pods(resources):
        if pod.name.startswith(("Job/", "Pod/")):
            assert not any(selector.items() <= pod.labels.items() for selector in selectors), pod.name


def _of_kind(resources: list[Resource], kind: str) -> list[Resource]:
    return [resource for resource in resources if resource["kind"] == kind]


def _lax(pod: Pod) -> list[str]:
    """Return what Pod Security `restricted` and a read-only root would not take."""
    around = pod.spec.get("securityContext", {})
    lax = [f"a volume from {source}" for source in ("hostPath",) if source in str(pod.spec.get("volumes"))]
    lax += [name for name in ("hostNetwork", "hostPID", "hostIPC") if pod.spec.get(name)]
    for container in pod.containers:
        lax += [f"{container['name']}: {reason}" for reason in _lax_container(around, container)]
    return lax


def _lax_container(around: dict[str, Any], container: dict[str, Any]) -> list[str]:
    security = around | container.get("securityContext", {})
    wanted = {
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    lax = [f"{name} is {security.get(name)}" for name, value in wanted.items() if security.get(name) != value]
    return lax + (["runs as root"] if not security.get("runAsUser", 0) else [])
