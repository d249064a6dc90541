"""A release of commit 4ebe983 can be upgraded to one of today: its volumes, selectors and passwords stay."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from k8s.charts.settings import CHARTS
from tests.charts.helm import KUBERNETES, RELEASE, Helm, Resource, parsed
from tests.charts.pods import pods
from tests.charts.test_gitops import created

pytestmark = pytest.mark.charts
OLD = "4ebe983"
# Fields in the spec of a StatefulSet that Kubernetes lets change.
CHANGEABLE = {
    "replicas",
    "ordinals",
    "template",
    "updateStrategy",
    "persistentVolumeClaimRetentionPolicy",
    "minReadySeconds",
    "revisionHistoryLimit",
}
Named = dict[tuple[str, str], Resource]


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Named:
    """Return what the old chart renders, by kind and name."""
    folder = tmp_path_factory.mktemp("old")
    archive = ("git", "-C", str(CHARTS.parent), "archive", "--output", f"{folder}/old.tar", OLD, "charts")
    if subprocess.run(archive, check=False, capture_output=True).returncode:
        pytest.skip(f"this clone has no commit {OLD}: git fetch --unshallow")
    _run("tar", "--extract", "--file", f"{folder}/old.tar", "--directory", str(folder))
    where = ("--namespace", "events", "--kube-version", KUBERNETES)
    return _named(parsed(_run("helm", "template", RELEASE, str(Path(folder, "charts", "eventline")), *where)))


def test_what_cannot_be_changed_is_not_changed(helm: Helm, old: Named) -> None:
    new = _named(helm.resources("eventline"))
    compared = [of for of in old if of in new and of[0] in {"StatefulSet", "Deployment"}]
    assert len(compared) == 10
    for of in compared:
        assert _fixed(new[of]) == _fixed(old[of]), of


def test_no_job_of_before_has_the_name_of_one_of_today(helm: Helm, old: Named) -> None:
    assert not {name for name in _named(helm.resources("eventline")) if name[0] == "Job"} & set(old)


def test_no_volume_is_removed(helm: Helm, old: Named) -> None:
    new = _named(helm.resources("eventline"))
    assert {name for name in old if name[0] in {"StatefulSet", "PersistentVolumeClaim"}} <= set(new)


def test_a_password_of_before_is_kept_by_helm_or_copied_before_helm_deletes_it(helm: Helm, old: Named) -> None:
    resources = helm.resources("eventline")
    copied = {argument.partition("=")[2] for argument in _copies(resources)}
    for kind, name in old:
        if kind == "Secret":
            kept = "keep" in str(old[kind, name]["metadata"].get("annotations"))
            assert (kept and name in created(resources)) or f"{RELEASE}-grafana-admin={name}" in copied, name


def _fixed(workload: Resource) -> Any:
    spec = workload["spec"]
    if workload["kind"] == "Deployment":
        return spec["selector"]
    return {name: value for name, value in spec.items() if name not in CHANGEABLE}


def _copies(resources: list[Resource]) -> list[str]:
    arguments = [pod.containers[0].get("args", []) for pod in pods(resources) if pod.name.startswith("Job/")]
    return [one for each in arguments for one in each if one.startswith("--copy-from=")]


def _named(resources: list[Resource]) -> Named:
    return {(one["kind"], one["metadata"]["name"]): one for one in resources}


def _run(*argv: str) -> Any:
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout
