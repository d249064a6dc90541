"""`console relay`, run as an operator runs it: the commands of docs/operations.md, and what they refuse."""

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from services.chassis.database.database import Database
from services.chassis.outbox import lease, operator_events
from services.contracts.operations import OperatorActed
from services.user import bootstrap
from tests.support.builders import append_events
from tests.support.command_blocks import blocks_for, execute
from tests.support.schemas import upgrade

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[3]
REASON = "Kafka-moves"


@pytest.fixture
def store(tmp_path: Path) -> Database:
    database = Database(f"sqlite:///{tmp_path / 'user.db'}")
    upgrade(database, bootstrap.REVISIONS)
    append_events(database, 1, 2)
    return database


def relay(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"APP_DATABASE_URL": f"sqlite:///{folder / 'user.db'}"}
    argv = (sys.executable, "-m", "services.console", "relay", *arguments)
    return subprocess.run(argv, env=environment, capture_output=True, text=True, check=False, timeout=60)


def acted(database: Database) -> list[OperatorActed]:
    with database.read() as connection:
        events = operator_events.unpublished(connection, 10)
    return [msgspec.json.decode(stored.event.data, type=OperatorActed) for stored in events]


def test_the_documented_commands_pause_show_and_resume_and_are_on_record(store: Database, tmp_path: Path) -> None:
    (tmp_path / ".eventline").symlink_to(ROOT / ".eventline")
    (block,) = blocks_for(__file__)
    code, output = execute(block.text, {"PYTHONPATH": str(ROOT)}, tmp_path)
    assert code == 0, output
    paused, shown, resumed = output.splitlines()
    assert paused.startswith("paused: ")
    assert shown.startswith("user: PAUSED for ")
    assert f"{REASON}; published up to event 0; 2 wait" in shown
    assert resumed.startswith("resumed: ")
    found = [(fact.action, fact.count, fact.reason) for fact in acted(store)]
    assert found == [("relay.pause", 2, REASON), ("relay.resume", 2, "")]
    with store.read() as connection:
        assert lease.paused(connection) is None


def test_what_changes_nothing_is_refused_and_leaves_no_event(store: Database, tmp_path: Path) -> None:
    done = relay(tmp_path, "resume")
    assert (done.returncode, "the relay is not paused" in done.stderr) == (5, True), done.stderr
    assert relay(tmp_path, "pause", "--reason", "a").returncode == 0
    done = relay(tmp_path, "pause", "--reason", "b")
    assert (done.returncode, "the relay is paused already" in done.stderr) == (5, True), done.stderr
    assert [fact.reason for fact in acted(store)] == ["a"]


def publish_all(database: Database, number: int) -> None:
    with database.write() as connection:
        connection.execute(lease.relay.update().values(cursor=number))


def test_publishing_again_shows_what_it_would_do_and_does_it_on_request(store: Database, tmp_path: Path) -> None:
    publish_all(store, 2)
    done = relay(tmp_path, "republish", "--from", "2")
    assert (done.returncode, done.stdout.startswith("events 2 to 2 would be published again")) == (0, True), done.stderr
    done = relay(tmp_path, "republish", "--from", "1", "--yes", "--no-wait", "--reason", REASON)
    assert (done.returncode, done.stdout.startswith("requested: events 1 to 2; ")) == (0, True), done.stderr
    assert relay(tmp_path, "status").stdout.startswith("user: published up to event 0; 2 wait")
    assert [(fact.action, fact.selection, fact.count, fact.reason) for fact in acted(store)] == [
        ("relay.republish", "events 1 to 2", 2, REASON)
    ]


def test_what_was_not_published_cannot_be_published_again(store: Database, tmp_path: Path) -> None:
    publish_all(store, 1)
    done = relay(tmp_path, "republish", "--from", "2", "--yes")
    assert (done.returncode, done.stderr) == (2, "--from 2: only the events 1 to 1 were published\n")
    assert acted(store) == []


def test_the_wait_ends_with_the_last_event(store: Database, tmp_path: Path) -> None:
    publish_all(store, 2)
    argv = (sys.executable, "-m", "services.console", "relay", "republish", "--from", "1", "--yes")
    environment = os.environ | {"APP_DATABASE_URL": f"sqlite:///{tmp_path / 'user.db'}"}
    with subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout
        assert child.stdout.readline().startswith("requested: ")
        publish_all(store, 2)
        assert child.stdout.read() == "published up to event 2\n"
    assert child.returncode == 0
