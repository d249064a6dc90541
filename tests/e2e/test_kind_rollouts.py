"""Every change of a running system under load: no request fails and nothing is lost."""

import json
import re
import uuid
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

import pytest

from k8s.command import RELEASE, helm, kubectl, objects
from services.chassis.kafka.partition_reader import read_topic
from services.contracts.catalog import USER_EVENTS
from services.contracts.envelope import from_headers, version_of
from services.contracts.service_list import SERVICES
from services.workbench.polling import until
from tests.e2e.kind_target import WORKLOADS
from tests.e2e.load import losses, under_load
from tests.e2e.pods import pods, value
from tests.support import next_releases as releases
from tests.support.stories.target import BROKER, Target

CHART = Path(__file__).parents[2] / "charts" / "eventline"
SECONDS = 60.0
SLOWLY = 30.0  # requests a second, beside upgrades of every pod: they must end before the load does
PATIENCE = "--timeout=300s"
LAST = re.compile(r"as of sequence ([0-9,]+)")
SHA256 = re.compile(r"sha256 ([0-9a-f]{64})")


def test_a_rolling_restart_of_each_service_fails_no_request_and_loses_nothing(target: Target, tmp_path: Path) -> None:
    with under_load(target, 1.75 * SECONDS, tmp_path) as load:
        for part in SERVICES:
            restart(part)
        assert losses(load.outcome()) == [], load.output()


def test_a_rolling_restart_of_the_broker_fails_no_request_and_loses_nothing(target: Target, tmp_path: Path) -> None:
    nodes = kubectl("get", WORKLOADS[BROKER], "--output", "jsonpath={.spec.replicas}")
    if nodes != "3":
        pytest.skip(f"the broker has {nodes} node: deploy the profile of three nodes")
    with under_load(target, 2 * SECONDS, tmp_path) as load:
        restart(BROKER)
        assert losses(load.outcome()) == [], load.output()


@pytest.mark.on_demand  # 6 minutes
def test_an_upgrade_to_a_version_2_of_a_fact_and_a_rollback_fail_no_request_and_lose_nothing(
    target: Target, tmp_path: Path
) -> None:
    releases.load(tmp_path)
    with under_load(target, 4 * SECONDS, tmp_path, SLOWLY) as load:
        upgrade(releases.FIRST, user_pods=2)
        first = str(json.loads(helm("history", RELEASE, "--output", "json"))[-1]["revision"])
        try:
            upgrade(releases.SECOND, user_pods=2)
            written = until("a fact in version 2", lambda: versions(target), lambda found: 2 in found.values())
            first_of_2 = min(number for number, version in written.items() if version == 2)
            sequence, as_second_reads = users_as_of(str(first_of_2))
        finally:
            helm("rollback", RELEASE, first, "--wait", PATIENCE)
        assert tags(images()) == {releases.FIRST}
        assert losses(load.outcome()) == [], load.output()
    upgrade(releases.FIRST, user_pods=1)  # the way back to a release before it is gone: the log has version 2
    written = versions(target)
    assert changes(written.values()) > len(("the upgrade", "the rollback")), "no pods of both releases wrote at a time"
    assert users_as_of(str(sequence)) == (sequence, as_second_reads), "the releases read one log differently"
    assert "equal: the log alone gives every user" in in_user_pod("rebuild", "--check")


def upgrade(tag: str, *, user_pods: int) -> None:
    """Upgrade every service to images with a tag, and wait for the last pod."""
    values = ("--set", f"global.image.tag={tag}", "--set", f"user.replicas={user_pods}")
    helm("upgrade", RELEASE, str(CHART), "--reuse-values", *values, "--wait", PATIENCE)
    assert tags(images()) == {tag}


def versions(target: Target) -> dict[int, int]:
    """Return the versions in which the fact with two of them was published, by sequence number, in that order."""
    batches = read_topic(target.kafka, USER_EVENTS.name, USER_EVENTS.partitions)
    envelopes = (from_headers(record.headers or []) for records in batches for record in records)
    found = {one.sequence: version_of(one.schema) for one in envelopes if one.type == releases.KIND}
    return dict(sorted(found.items()))


def changes(values: Iterable[int]) -> int:
    """Return how often a value differs from the one before it."""
    return sum(one != other for one, other in pairwise(values))


def users_as_of(moment: str) -> tuple[int, str]:
    """Return the last event of a moment and the checksum of its users, as the release that runs reads the log."""
    database = f"sqlite:////tmp/{uuid.uuid4()}.db"
    output = in_user_pod("as-of", moment, "--into", database)
    last, checksum = LAST.search(output), SHA256.search(output)
    assert last, output
    assert checksum, output
    return int(last[1].replace(",", "")), checksum[1]


def in_user_pod(*arguments: str) -> str:
    """Run a command of the user service in a pod that stays. Raises CommandError."""
    stays = [pod for pod in pods("user") if not value(pod, "metadata.deletionTimestamp")]
    return kubectl("exec", stays[0]["metadata"]["name"], "--", "python", "-m", "services.user", *arguments)


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
