"""Differences between an install and an upgrade, and promises of a rolling update."""

import base64
from typing import Any

import pytest

from services.contracts.service_list import SERVICES
from tests.charts.helm import Helm, Resource
from tests.charts.pods import pods

pytestmark = pytest.mark.charts
JOBS = sorted(["console-topics", *(f"{name}-migrate" for name in SERVICES)])
PASSWORD = ("--set", "database.password=secret")
TAG = ("--set", "global.image.tag=1.0.0")


def test_an_upgrade_has_the_ordinary_jobs_of_an_install(helm: Helm) -> None:
    jobs = _jobs(helm.resources("eventline", "--is-upgrade"))
    assert sorted(name.rpartition("-")[0] for name in jobs) == [f"eventline-{job}" for job in JOBS]
    assert not any("annotations" in metadata for metadata in jobs.values())


def test_a_job_is_named_by_what_it_runs(helm: Helm) -> None:
    """A Job cannot be changed, so another one needs another name; the same one has run already."""
    names = set(_jobs(helm.resources("eventline", *TAG), of=""))
    assert len(names) == len(JOBS) + 2  # the two that create Secrets
    assert names == set(_jobs(helm.resources("eventline", *TAG, "--set", "user.replicas=2"), of=""))
    for other in ("global.image.tag=2.0.0", "global.image.registry=registry.example.com"):
        assert names.isdisjoint(_jobs(helm.resources("eventline", *TAG, "--set", other), of=""))
    moved = _jobs(helm.resources("eventline", *TAG, "--set", "user.database.name=users"), of="")
    assert {name.rpartition("-")[0] for name in names - set(moved)} == {"eventline-user-migrate"}


def test_a_job_has_the_password_that_is_given(helm: Helm) -> None:
    resources = helm.resources("user", *PASSWORD)
    job = next(pod for pod in pods(resources) if pod.name.startswith("Job/"))
    reference = next(one["valueFrom"]["secretKeyRef"] for one in job.containers[0]["env"] if "valueFrom" in one)
    secret = next(one for one in resources if one["kind"] == "Secret" and one["metadata"]["name"] == reference["name"])
    assert base64.b64decode(secret["data"][reference["key"]]) == b"secret"


def test_other_settings_or_another_password_roll_the_pods(helm: Helm) -> None:
    sums = {_checksum(helm, *values) for values in [(), PASSWORD, ("--set", "settings.logLevel=debug")]}
    assert len(sums) == 3


def test_a_rolling_update_never_has_fewer_pods_than_asked_for(helm: Helm) -> None:
    spec = _deployment(helm)["spec"]
    assert spec["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    assert spec["template"]["spec"]["terminationGracePeriodSeconds"] == 40


def test_two_pods_never_share_a_file_of_sqlite(helm: Helm) -> None:
    values = ("--set", "database.kind=sqlite,persistence.enabled=true")
    assert _deployment(helm, *values)["spec"]["strategy"] == {"type": "Recreate"}


def test_a_service_monitor_stands_where_the_cluster_knows_the_type(helm: Helm) -> None:
    assert "ServiceMonitor" not in _kinds(helm.resources("user"))
    assert "ServiceMonitor" in _kinds(helm.resources("user", "--api-versions", "monitoring.coreos.com/v1"))
    assert "ServiceMonitor" in _kinds(helm.resources("user", "--set", "global.serviceMonitor.enabled=always"))


def _jobs(resources: list[Resource], of: str = "hook") -> dict[str, dict[str, Any]]:
    """Return the metadata of Jobs by their names, without those that create Secrets, which are hooks."""
    return {
        one["metadata"]["name"]: one["metadata"]
        for one in resources
        if one["kind"] == "Job" and not (of and of in str(one["metadata"].get("annotations")))
    }


def _kinds(resources: list[Resource]) -> set[str]:
    return {resource["kind"] for resource in resources}


def _deployment(helm: Helm, *values: str) -> Resource:
    return next(one for one in helm.resources("user", *values) if one["kind"] == "Deployment")


def _checksum(helm: Helm, *values: str) -> str:
    annotations: dict[str, str] = _deployment(helm, *values)["spec"]["template"]["metadata"]["annotations"]
    return annotations["checksum/config"]
