"""The Kafka Connect worker by the commands of docs/connect.md: sink and source lose nothing, also when it is killed."""

from collections import Counter
from collections.abc import Iterator
from functools import partial

import pytest

from services.chassis.kafka.partition_reader import read_topic
from services.contracts import catalog
from services.workbench.polling import until
from tests.e2e.compose_target import ComposeTarget
from tests.support.command_blocks import blocks_for, execute
from tests.support.stories.story import Story
from tests.support.stories.target import Target

NOTICES, LINES = catalog.USER_NOTICES, "example.lines.v1"
FOLDER = "/var/lib/kafka/data"
GROUP = "connect-notices-to-file"
USERS = 10


@pytest.fixture(scope="module")
def worker(target: Target) -> Iterator[ComposeTarget]:
    """The project with the worker, after the page's commands."""
    assert isinstance(target, ComposeTarget)
    try:
        for block in blocks_for(__file__):
            code, output = execute(block.text, target.variables)
            assert code == 0, f"{block.text}{output}"
        assert GROUP in output
        yield target
    finally:
        target.compose("--profile", "connect", "rm", "--stop", "--force", "connect")


def test_the_sink_has_what_the_topic_has_record_by_record(worker: ComposeTarget, story: Story) -> None:
    register(story)
    until("the sink has the topic's records", partial(sunk, worker), lambda file: file == on_topic(worker))
    assert sunk(worker).total() >= USERS


def test_after_a_kill_every_record_and_every_line_has_arrived_at_least_once(
    worker: ComposeTarget, story: Story
) -> None:
    before = [f"before {number}" for number in range(USERS)]
    after = [f"after {number}" for number in range(USERS)]
    register(story)
    append(worker, before)
    until("the lines are on their topic", partial(lines, worker), set(before).issubset)
    worker.compose("--profile", "connect", "kill", "connect")
    register(story)
    worker.compose("--profile", "connect", "up", "--detach", "--wait", "--no-deps", "--no-recreate", "connect")
    append(worker, after)
    until("the sink has the topic's records", partial(sunk, worker), lambda file: file >= on_topic(worker))
    assert set(sunk(worker)) == set(on_topic(worker)), "the sink has what the topic has not"
    until("the later lines too", partial(lines, worker), set(after).issubset)
    assert [line for line in dict.fromkeys(lines(worker)) if line in {*before, *after}] == [*before, *after]


def register(story: Story) -> None:
    """Let some users register, each of which is a notice."""
    for _ in range(USERS):
        story.register_user(mailed=False)


def append(worker: ComposeTarget, texts: list[str]) -> None:
    """Append lines to the source's file."""
    script = f"printf '%s\\n' \"$@\" >> {FOLDER}/{LINES}.txt"
    worker.compose("exec", "--no-TTY", "connect", "bash", "-c", script, "append", *texts)


def sunk(worker: ComposeTarget) -> Counter[str]:
    """Return the lines of the sink's file, each with how often it is there."""
    text = worker.compose("exec", "--no-TTY", "connect", "cat", f"{FOLDER}/{NOTICES.name}.jsonl")
    return Counter(text.splitlines())


def on_topic(worker: ComposeTarget) -> Counter[str]:
    """Return the values of the sink's topic, each with how often it is there."""
    return Counter(values(worker, NOTICES.name, NOTICES.partitions))


def lines(worker: ComposeTarget) -> list[str]:
    """Return the values of the source's topic."""
    return values(worker, LINES, 1)


def values(worker: ComposeTarget, topic: str, partitions: int) -> list[str]:
    """Return a topic's values as text; a tombstone is the word that Connect writes for it."""
    records = [record for batch in read_topic(worker.administrator, topic, partitions) for record in batch]
    return ["null" if record.value is None else record.value.decode(errors="replace") for record in records]
