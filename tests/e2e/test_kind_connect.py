"""Kafka Connect in the cluster, by one value: its login has the rights of its connectors, and its sink has the records.

On the release that `make deploy` left, for three minutes:
`pytest -m "e2e and on_demand" tests/e2e/test_kind_connect.py --target kind`.
"""

import json
from pathlib import Path

import pytest

from k8s.command import CLUSTER, RELEASE, helm, kubectl
from k8s.release import CHARTS
from services.chassis.kafka.partition_reader import read_topic
from services.workbench.polling import until
from tests.e2e.pods import kubeconfig
from tests.support.command_blocks import blocks_for, execute
from tests.support.stories.story import Story
from tests.support.stories.target import Target

pytestmark = pytest.mark.on_demand

LINES = "example.lines.v1"


def test_one_value_adds_a_worker_that_reads_and_writes(target: Target, story: Story, tmp_path: Path) -> None:
    (tmp_path / "charts").symlink_to(CHARTS)
    place = {"KUBECONFIG": str(kubeconfig(CLUSTER, tmp_path))}
    user = story.register_user()
    story.await_audit(user)
    (block,) = blocks_for(__file__)
    revision = str(json.loads(helm("history", RELEASE, "--max", "1", "--output", "json"))[-1]["revision"])
    try:
        code, output = execute(block.text, place, tmp_path)
        assert code == 0, output
        look = block.text.splitlines()[-1]
        until("the sink has the notice", lambda: execute(look, place)[1], lambda file: user.user_id in file)
        append = f"echo 'a line' >> /var/lib/kafka/data/{LINES}.txt"
        kubectl("exec", f"{RELEASE}-connect-0", "--", "bash", "-c", append)
        until("the line is on its topic", lambda: values(target), lambda found: found == [b"a line"])
    finally:
        helm("rollback", RELEASE, revision, "--wait", "--timeout", "10m")


def values(target: Target) -> list[bytes | None]:
    """Return the values of the source's topic."""
    return [record.value for batch in read_topic(target.administrator, LINES, 1) for record in batch]
