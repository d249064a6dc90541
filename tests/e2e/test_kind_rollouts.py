"""Every change of a running system under load: no request fails and nothing is lost."""

import json
from pathlib import Path

import pytest

from k8s.command import CLUSTER, RELEASE, helm, kubectl, objects, run
from services.contracts.service_list import SERVICES
from tests.e2e.kind_target import WORKLOADS
from tests.e2e.load import losses, under_load
from tests.e2e.pods import pods, value
from tests.support.stories.target import BROKER, Target

CHART = Path(__file__).parents[2] / "charts" / "eventline"
NEXT_TAG = "e2e"
IMAGES = tuple(f"eventline/{name}" for name in (*SERVICES, "console"))
SECONDS = 60.0
PATIENCE = "--timeout=300s"


@pytest.mark.parametrize("part", SERVICES)
def test_a_rolling_restart_of_a_service_fails_no_request_and_loses_nothing(
    target: Target, part: str, tmp_path: Path
) -> None:
    with under_load(target, SECONDS, tmp_path) as load:
        restart(part)
        assert losses(load.outcome()) == [], load.output()


def test_a_rolling_restart_of_the_broker_fails_no_request_and_loses_nothing(target: Target, tmp_path: Path) -> None:
    nodes = kubectl("get", WORKLOADS[BROKER], "--output", "jsonpath={.spec.replicas}")
    if nodes != "3":
        pytest.skip(f"the broker has {nodes} node: deploy the profile of three nodes")
    with under_load(target, 2 * SECONDS, tmp_path) as load:
        restart(BROKER)
        assert losses(load.outcome()) == [], load.output()


def test_an_upgrade_and_a_rollback_of_the_release_fail_no_request_and_lose_nothing(
    target: Target, tmp_path: Path
) -> None:
    before = images()
    for image in IMAGES:
        run("docker", "tag", f"{image}:dev", f"{image}:{NEXT_TAG}")
    run("kind", "load", "docker-image", "--name", CLUSTER, *(f"{image}:{NEXT_TAG}" for image in IMAGES))
    revision = str(json.loads(helm("history", RELEASE, "--output", "json"))[-1]["revision"])
    with under_load(target, 2 * SECONDS, tmp_path) as load:
        try:
            values = ("--set", f"global.image.tag={NEXT_TAG}", "--set", "user.podAnnotations.upgraded=e2e")
            helm("upgrade", RELEASE, str(CHART), "--reuse-values", *values, "--wait", PATIENCE)
            assert tags(images()) == {NEXT_TAG}
        finally:
            helm("rollback", RELEASE, revision, "--wait", PATIENCE)
        assert images() == before
        assert losses(load.outcome()) == [], load.output()


def restart(part: str) -> None:
    """Replace each pod of a part, one after the other, and wait for the last."""
    before = {pod["metadata"]["uid"] for pod in pods(part_name(part))}
    kubectl("rollout", "restart", WORKLOADS[part])
    kubectl("rollout", "status", WORKLOADS[part], PATIENCE)
    now = {pod["metadata"]["uid"] for pod in pods(part_name(part)) if not value(pod, "metadata.deletionTimestamp")}
    assert now
    assert not now & before, "pods from before the restart still run"


def part_name(part: str) -> str:
    """Return the chart that a part comes from."""
    return WORKLOADS[part].partition("/")[2].removeprefix(f"{RELEASE}-")


def images() -> dict[str, str]:
    """Return the image of each service's Deployment."""
    found = objects("deployments")
    named = {one["metadata"]["name"]: one["spec"]["template"]["spec"]["containers"][0]["image"] for one in found}
    return {name: image for name, image in named.items() if name.removeprefix(f"{RELEASE}-") in SERVICES}


def tags(found: dict[str, str]) -> set[str]:
    """Return the tags of images."""
    return {image.rpartition(":")[2] for image in found.values()}
