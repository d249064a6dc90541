"""Held records, from the alert to the journey: the runbooks' commands bring them back, and audit has who ran them.

KeysParked fires after five minutes: here it becomes pending.
"""

import contextlib
import json
import re
import uuid
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import httpx
import pytest

from services.chassis.kafka.producer import Producer
from services.chassis.messages.clock import utc_now
from services.contracts.envelope import to_text
from services.workbench.faults.poison import records
from services.workbench.polling import until
from tests.e2e.compose_target import ComposeTarget
from tests.e2e.kind_target import KindTarget
from tests.e2e.load import under_load
from tests.e2e.runbook import command
from tests.support.stories.story import Story
from tests.support.stories.target import Target

Watched = KindTarget | ComposeTarget
JOB = "notification"
SUBJECT = f"{JOB}.held"
IN_POD = f"kubectl exec deploy/eventline-{JOB} -- "
DEAD, PARKED = "DeadRecordsHeld", "KeysParked"
POISON = 20
LOAD_S = 300.0  # more than the story takes, which ends it
PLACE = re.compile(r"^(\S+\[\d+\]@\d+)  dead, malformed", re.MULTILINE)
# A rule that somebody added by hand, and that a user's state breaks.
RULE = "ALTER TABLE addresses {} CONSTRAINT by_hand"
CHECK = " CHECK (email NOT LIKE 'held-%') NOT VALID"


@pytest.fixture
def watched(target: Target) -> Iterator[Watched]:
    """The system with its Prometheus, without what earlier tests left held."""
    if not isinstance(target, Watched):
        pytest.skip("no Prometheus watches the local system")
    if isinstance(target, ComposeTarget):
        target.compose("--profile", "full", "up", "--detach", "--wait", "--no-deps", "prometheus")
    held = f"{IN_POD}python -m services.console held"
    if "no record is held" not in target.operate(f"{held} list"):
        target.operate(f"{held} discard --yes --acknowledge --reason 'left by another test'")
    until("no alert is left", partial(alerts, target), set().__eq__, passing=httpx.HTTPError)
    yield target
    if isinstance(target, ComposeTarget):
        target.compose("--profile", "full", "rm", "--stop", "--force", "prometheus")


def test_the_runbooks_commands_end_what_poison_under_load_began_and_the_audit_log_has_who_ran_them(
    story: Story, watched: Watched, tmp_path: Path
) -> None:
    since = to_text(utc_now())
    with under_load(watched, LOAD_S, tmp_path):
        with refusing_an_address(watched):
            user = story.register_user(email=f"held-{uuid.uuid4().hex[:12]}@example.org")
            story.change_user(user, full_name="Countess of Lovelace")
            publish_poison(watched)
            until("both alerts", partial(alerts, watched), {DEAD, PARKED}.__eq__, passing=httpx.HTTPError)
            parked = follow(watched, PARKED, "held list")
            assert "handler_failed" in parked
            assert "behind" in parked
            story.await_notifications(story.register_user())
            assert story.mails(user) == []
        until(f"{DEAD} fires", partial(alerts, watched, firing=True), {DEAD}.__le__, passing=httpx.HTTPError)
        assert "applied: 2 records; still held: 0" in follow(watched, PARKED, "held retry")
        (place, *others) = PLACE.findall(follow(watched, DEAD, "held list"))
        assert len(others) == POISON - 1
        assert "malformed: " in follow(watched, DEAD, "held show", PLACE=place)
        assert place.partition("[")[0] in follow(watched, DEAD, "dead letter")
        assert f"discarded: {POISON} records" in follow(watched, DEAD, "held discard")
        until("the alerts clear", partial(alerts, watched), set().__eq__, passing=httpx.HTTPError)
    # Asked of the API: a sink that keeps the newest mails alone has dropped it for those of the load.
    assert [item["status"] for item in story.await_notifications(user)] == ["sent"]
    assert watched.replica()[user.user_id].startswith("2 ")
    _check_who_did_it(story, watched, since)


def _check_who_did_it(story: Story, watched: Watched, since: str) -> None:
    entries = until("the actions' entries", lambda: story.operations(SUBJECT, since), lambda found: len(found) == 2)
    facts = [json.loads(entry["value"]) for entry in entries]
    assert [(fact["action"], fact["count"]) for fact in facts] == [("held.retry", 2), ("held.discard", POISON)]
    assert facts[0]["selection"].startswith("user.state.v1[")
    who = {"operator": "uid 10001", "host": watched.operate(f"{IN_POD}cat /etc/hostname").strip(), "verified": False}
    for entry, fact in zip(entries, facts, strict=True):
        assert fact | who == fact
        (event,) = story.journey(entry["correlation_id"])["events"]
        assert (event["subject"], json.loads(event["records"][0]["value"])) == (SUBJECT, fact)


@contextlib.contextmanager
def refusing_an_address(watched: Watched) -> Iterator[None]:
    """Let the database refuse the state of a user for the duration of the block."""
    watched.psql(RULE.format("ADD") + CHECK)
    try:
        yield
    finally:
        watched.psql(RULE.format("DROP"))


def publish_poison(watched: Watched) -> None:
    """Publish records that are not JSON."""
    with contextlib.closing(Producer(watched.administrator, "poison")) as producer:
        producer.publish(records("json", utc_now(), [str(uuid.uuid4()) for _ in range(POISON)]))


def follow(watched: Watched, runbook: str, part: str, **values: str) -> str:
    """Run the command of a runbook that contains `part`, and return its output."""
    return watched.operate(command(runbook, part, {"JOB": JOB, "…": "published by a test"} | values))


def alerts(watched: Watched, *, firing: bool = False) -> set[str]:
    """Return which of the two alerts are pending or firing."""
    found = httpx.get(f"{watched.prometheus_url}/api/v1/alerts", timeout=10).raise_for_status().json()["data"]["alerts"]
    mine = [one for one in found if one["labels"].get("job") == JOB and (one["state"] == "firing" or not firing)]
    return {one["labels"]["alertname"] for one in mine} & {DEAD, PARKED}
