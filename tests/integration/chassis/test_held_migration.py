"""Parked records move to the table of held ones, and a program of before goes on with them beside the present one."""

import shutil
from pathlib import Path

import pytest

import services
from services.chassis.consumer import offset_store
from services.chassis.consumer.held import selection, table
from services.chassis.consumer.held.held_records import HeldRecords
from services.chassis.consumer.held.reasons import Refusal, State, Why
from services.chassis.consumer.held.selection import Filters
from services.chassis.consumer.offset_store import Position
from services.chassis.database.database import Database, metadata
from services.chassis.database.migrations import prepare, upgrade
from services.chassis.messages.record import Record, TopicPartition
from tests.support import parking_before
from tests.support.builders import NOW

ROOT = Path(services.__path__[0])
TOPIC, IDS = "user.state.v1", {"user.state.v1": "id-of-the-topic"}
OWN = TopicPartition(TOPIC, 0)
BEHIND = "behind an earlier one of its key"


def a_record(offset: int, key: bytes | None = b"a", value: bytes | None = b"v") -> Record:
    return Record(TOPIC, 0, offset, 1, 99, key, value, [("ce_id", b"x"), ("null", None)])


@pytest.fixture(params=["user", "notification"])
def before(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The revisions of a service as of commit 4ebe983: the first one."""
    folder = tmp_path / "before" / str(request.param)
    folder.mkdir(parents=True)
    shutil.copy(ROOT / str(request.param) / "migrations" / "initial.py", folder)
    return folder


@pytest.fixture
def upgraded(database: Database, before: Path) -> Database:
    """A database in which the earlier version has parked records, with the present schema."""
    upgrade(database, before)
    with database.write() as connection:
        offset_store.advance(connection, {}, {OWN: Position("id-of-the-topic", 5)})
        parking_before.put(connection, [a_record(0)], "UnknownShapeError: version 9", NOW)
        parking_before.put(connection, [a_record(1, value=None), a_record(2)], BEHIND, NOW)
        parking_before.put(connection, [a_record(3, b"\xff\0")], "ZeroDivisionError: division by zero", NOW)
        parking_before.request_retry(connection, r"\xff\x00")
    upgrade(database, ROOT / before.name / "migrations")
    return database


def test_parked_records_are_held_as_they_were(upgraded: Database) -> None:
    with upgraded.read() as connection:
        rows = selection.whole(connection, Filters())
    assert [one.record for one in rows] == [
        a_record(0),
        a_record(1, value=None),
        a_record(2),
        a_record(3, b"\xff\0"),
    ]
    assert [one.reason for one in rows] == ["newer_version", "behind", "behind", "handler_failed"]
    assert rows[3].detail == "ZeroDivisionError: division by zero"
    assert [one.retry for one in rows] == [False, False, False, True]
    assert {(one.state, one.topic_id, one.since, one.attempts) for one in rows} == {
        ("parked", "id-of-the-topic", NOW, 0)
    }


def test_the_program_of_before_starts_on_the_present_schema(upgraded: Database, before: Path) -> None:
    for migrate in (True, False):
        prepare(upgraded, before, migrate=migrate)


def test_each_version_sees_the_keys_that_the_other_parks_and_can_release_them(upgraded: Database) -> None:
    records = HeldRecords(lambda: NOW, 10, 10)
    with upgraded.write() as connection:
        records.park(connection, a_record(10, b"new"), IDS, Why("handler_failed", "cannot"))
        parking_before.put(connection, [a_record(11, b"old"), a_record(12, b"old")], "KeyError: 1", NOW)  # as COPY
        parking_before.put(connection, [a_record(13, b"one")], "KeyError: 1", NOW)
    incoming = [a_record(20 + at, key) for at, key in enumerate((b"new", b"old", b"one", b"other"))]
    with upgraded.write() as connection:
        assert parking_before.blocked(connection, incoming) == {(TOPIC, "new"), (TOPIC, "old"), (TOPIC, "one")}
        assert records.park_behind(connection, incoming, IDS) == [incoming[3]]
        parking_before.failed_again(connection, "new", 10, "still KeyError")
        assert (10, "still KeyError") in parking_before.places(connection)
        parking_before.remove(connection, 13)
        parking_before.request_retry(connection, "old")
    with upgraded.read() as connection:
        assert [one.record.offset for one in records.requested(connection, [OWN])] == [3, 11, 12, 21]
        kept = [one.record.offset for one in selection.find(connection, Filters(key="one"))]
    assert kept == [22], "what the program of before has applied is held still"


def test_a_program_of_before_does_not_see_what_is_dead_applied_or_discarded(upgraded: Database) -> None:
    records = HeldRecords(lambda: NOW, 10, 10)
    with upgraded.write() as connection:
        records.refuse(connection, [Refusal(a_record(30, b"d"), "invalid", "bad")], IDS)
        assert parking_before.blocked(connection, [a_record(31, b"d")]) == set()
        for one in selection.find(connection, Filters(states=(State.PARKED,))):
            assert records.applied(connection, one)
        assert parking_before.places(connection) == []


def test_audit_which_parks_nothing_has_no_such_table(database: Database, tmp_path: Path) -> None:
    after = shutil.copytree(ROOT / "audit" / "migrations", tmp_path / "after")
    for later in ("merkle_tree.py", "checkpoints.py", "actors.py"):  # which do not serve the program of before
        (after / later).unlink()
    before = shutil.copytree(after, tmp_path / "before")
    (before / "no_parked_records.py").unlink()
    upgrade(database, before)
    upgrade(database, after)
    prepare(database, before, migrate=False)
    assert table.held.name in metadata.tables  # that of this process, which knows every service
    with database.read() as connection:
        assert not {"parked", "held"} & set(database.engine.dialect.get_table_names(connection))
