"""`console export` from a terminal beside the running system: two runs have each record of a topic once."""

import json
import subprocess
import sys
from pathlib import Path

from services.chassis.kafka.partition_reader import read_topic
from services.chassis.kafka.settings import KafkaSettings
from services.chassis.settings.environment import variables
from services.contracts import catalog
from services.workbench.local.system import clean_environment
from tests.support.stories.story import Story

TOPIC = catalog.USER_EVENTS
PATIENCE_S = 60.0

Place = tuple[int, int]


def test_two_exports_have_each_fact_of_the_topic_once(story: Story, tmp_path: Path) -> None:
    first, second = story.register_user(), story.register_user()
    for user in (first, second):
        story.await_audit(user, {"user.registered"})
    export(story, "--since", "beginning", "--out", str(tmp_path))
    moved = story.change_user(first, full_name="Countess of Lovelace")
    story.await_audit(moved, {"user.profile_changed"})
    before = on_topic(story)
    export(story, "--from", str(tmp_path / f"{TOPIC.name}.position.json"))
    files = [rows(path) for path in sorted((tmp_path / TOPIC.name).iterdir())]
    places = [(row["partition"], row["offset"]) for found in files for row in found]
    assert len(places) == len(set(places)), "a record is in two files"
    assert before <= set(places) <= on_topic(story)
    found = [[(row["subject"], row["type"]) for row in rows] for rows in files]
    assert {(first.user_id, "user.registered"), (second.user_id, "user.registered")} <= set(found[0])
    assert (first.user_id, "user.profile_changed") in found[1]


def export(story: Story, *arguments: str) -> None:
    """Run the command to its end."""
    command = (sys.executable, "-m", "services.console", "export", TOPIC.name, *arguments)
    own = clean_environment(variables(KafkaSettings, story.target.kafka))
    done = subprocess.run(command, env=own, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def rows(path: Path) -> list[dict[str, object]]:
    """Return the rows of a file of an export."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def on_topic(story: Story) -> set[Place]:
    """Return partition and offset of every record on the topic."""
    return {
        (record.partition, record.offset)
        for batch in read_topic(story.target.kafka, TOPIC.name, TOPIC.partitions)
        for record in batch
    }
