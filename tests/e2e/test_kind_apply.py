"""Rendered manifests alone, as GitOps tools apply them: install, another tag, back, and a third time without a change.

Makes a cluster of its own, of the images `eventline/*:dev`, in about ten minutes:
`pytest -m "e2e and on_demand" tests/e2e/test_kind_apply.py --target kind -o faulthandler_timeout=3600 -s`.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from k8s.command import NAMESPACE, RELEASE, run
from k8s.release import CHARTS
from services.contracts.service_list import JOBS
from tests.e2e.pods import kubeconfig, version
from tests.e2e.trial_cluster import BUILT, CLUSTER, OWN_SECRETS, TrialCluster, trial_cluster
from tests.support.command_blocks import blocks_for, execute

pytestmark = pytest.mark.on_demand
FIRST, SECOND = "trial-1", "trial-2"


@pytest.fixture(autouse=True)
def _nothing_ends_by_itself() -> None:
    """Stands for the fixture of the other stories, whose system is not this one."""


@pytest.fixture(scope="module")
def cluster() -> Iterator[TrialCluster]:
    with trial_cluster() as cluster:
        cluster.tag(BUILT, FIRST, SECOND)
        yield cluster


def manifests(tag: str) -> str:
    """Return what Helm renders without a cluster."""
    chart = ("helm", "template", RELEASE, str(CHARTS / "eventline"))
    return run(*chart, "--namespace", NAMESPACE, "--skip-tests", "--set", f"global.image.tag={tag}")


def apply(cluster: TrialCluster, tag: str) -> str:
    done = cluster.kubectl("apply", "--filename", "-", text=manifests(tag))
    cluster.settle()
    return done


def images(cluster: TrialCluster) -> set[str]:
    """Return the tags of our images in the Deployments."""
    found = [one["spec"]["template"]["spec"]["containers"][0]["image"] for one in cluster.objects("deployments")]
    return {image.partition(":")[2] for image in found if image.startswith("eventline/")}


def versions(cluster: TrialCluster, tag: str) -> dict[str, tuple[str, ...]]:
    """Return what tells that an object was written, of every object of the manifests."""
    objects = cluster.objects("--filename", "-", text=manifests(tag))
    return {f"{one['kind']}/{one['metadata']['name']}": version(one) for one in objects}


def install(cluster: TrialCluster, folder: Path) -> None:
    """Execute the commands of docs/gitops.md, under Pod Security `restricted`."""
    (folder / "charts").symlink_to(CHARTS)
    (block,) = blocks_for(__file__)
    code, output = execute(block.text, {"KUBECONFIG": str(kubeconfig(CLUSTER, folder))}, folder)
    assert code == 0, output
    cluster.kubectl("label", "namespace", NAMESPACE, "pod-security.kubernetes.io/enforce=restricted")
    cluster.settle()


def test_manifests_alone_install_another_tag_and_back_and_a_third_time_change_nothing(
    cluster: TrialCluster, tmp_path: Path
) -> None:
    install(cluster, tmp_path)
    cluster.psql("user", "CREATE TABLE kept (at text)")
    cluster.psql("user", "INSERT INTO kept VALUES ('before')")
    before = cluster.kept(*OWN_SECRETS)
    assert images(cluster) == {FIRST}
    for tag in (SECOND, FIRST):
        apply(cluster, tag)
        assert images(cluster) == {tag}
        assert cluster.kept(*OWN_SECRETS) == before
        assert cluster.psql("user", "SELECT at FROM kept") == "before"
    names = {one["metadata"]["name"] for one in cluster.objects("jobs")}
    assert len(names) >= 2 * len(JOBS) - 2  # those of both tags

    objects, pods = versions(cluster, FIRST), {one["metadata"]["uid"] for one in cluster.objects("pods")}
    done = apply(cluster, FIRST)
    print("\n".join(line for line in done.splitlines() if not line.endswith("unchanged")))  # noqa: T201  # to be read
    assert versions(cluster, FIRST) == objects
    assert {one["metadata"]["uid"] for one in cluster.objects("pods")} == pods
