"""Arbitrary text in keys, headers and values of records, to tables, dead letters, pages and the terminal."""

from itertools import count
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from litestar import Litestar
from litestar.testing import TestClient
from sqlalchemy import select

from services.chassis.consumer.held import letter_store, selection, table
from services.chassis.consumer.held.held_records import HeldRecords
from services.chassis.consumer.held.letter import letter
from services.chassis.consumer.held.reasons import State
from services.chassis.consumer.held.record import Held
from services.chassis.consumer.loop import Consumer
from services.chassis.consumer.subscription import Subscription
from services.chassis.database.database import Database
from services.chassis.messages.printable import UNPRINTABLE
from services.chassis.messages.record import Record, TopicPartition
from services.console import events
from services.console.held import commands as held
from services.console.held.options import ListOptions
from services.contracts.envelope import schema_of, to_headers
from services.notification.store.tables import intents
from tests.support.audit_log import all_entries, record_all
from tests.support.builders import NOW, a_record, a_telemetry, a_user_registered, an_envelope, ids
from tests.support.fakes import FakeBroker
from tests.support.hostile_text import MARK, few, json_texts, marked, raw
from tests.support.notification_builders import a_handler, a_notice_record, a_state, a_state_record, prepare

PLACE = TopicPartition("user.events.v1", 0)
NAMES = [name for name, _ in to_headers(an_envelope(causation_id="c", traceparent="t", actor="a"))]
numbers = count(1)
some_headers = st.lists(st.tuples(st.sampled_from(NAMES) | json_texts, st.none() | raw), max_size=4)
parts = st.tuples(st.none() | raw, st.none() | raw, st.none() | some_headers)  # key, value, headers


def a_user() -> str:
    return f"01936d5e-0000-7000-8000-{next(numbers):012}"


def anything(offset: int, key: Any, value: Any, headers: Any) -> Record:
    return Record(PLACE.topic, PLACE.partition, offset, 1, 0, key, value, headers)


def with_headers(record: Record, headers: Any) -> Record:
    """Return a record with other headers in the place of its own of the same names."""
    return msgspec.structs.replace(record, headers=list((dict(record.headers or ()) | dict(headers)).items()))


class Notification:
    """The consumer of the notification service over a fake broker and a real database."""

    def __init__(self, database: Database) -> None:
        self.database = prepare(database)
        self.broker = FakeBroker()
        self.broker.create(PLACE.topic, "id-of-the-topic")
        self._consumer = Consumer(
            Subscription(
                "group",
                (PLACE.topic,),
                a_handler(ids()),
                self.broker.join_group,
                self.broker,
                HeldRecords(lambda: NOW, 10_000, 10_000),
            ),
            database,
            a_telemetry(),
        )
        self._consumer._join()  # noqa: SLF001  # a test processes single batches

    def take(self, *records: Record) -> None:
        """Write records and process them in one batch. Fails if the consumer would stop."""
        log = self.broker.logs[PLACE]
        log += [
            msgspec.structs.replace(record, topic=PLACE.topic, partition=0, offset=len(log) + at)
            for at, record in enumerate(records)
        ]
        self._consumer.process_batch(self.broker.members[0])

    def queued(self, user_id: str) -> bool:
        with self.database.read() as connection:
            return connection.scalar(select(intents.c.id).where(intents.c.user_id == user_id)) is not None


@pytest.fixture
def notification(database: Database) -> Notification:
    notification = Notification(database)
    unknown = an_envelope(type="user.state", schema=schema_of("user.state", 2))
    notification.take(a_record(unknown, b"1"))  # is parked: from now on the keys of records are looked up
    return notification


@few
@given(parts, some_headers, json_texts)
def test_the_notification_service_takes_any_record_and_serves_the_next(
    notification: Notification, other: Any, headers: Any, kind: str
) -> None:
    user, good = a_user(), a_user()
    notice = a_notice_record(1, user_id=user)
    named = msgspec.json.encode({"user_id": user, "type": kind, "version": 1})
    notification.take(
        anything(0, *other),
        with_headers(a_state_record(a_state(user_id=user)), headers),
        msgspec.structs.replace(notice, value=named),
        with_headers(a_notice_record(2, user_id=user), headers),
        a_state_record(a_state(user_id=good)),
        a_notice_record(1, user_id=good),
    )
    assert notification.queued(good)
    with notification.database.write() as connection:
        due = letter_store.due(connection)
        letter_store.published(connection, due, NOW)
    for one in due:
        assert all(value is None or isinstance(value, bytes) for _, value in letter(one, "dlq", "group").headers)


@few
@given(parts, some_headers)
def test_the_audit_service_records_any_record_as_it_is_and_shows_it(
    database: Database, entries: TestClient[Litestar], other: Any, headers: Any
) -> None:
    first = len(all_entries(database))
    written = [anything(first, *other), with_headers(a_record(an_envelope(), b"1", offset=first + 1), headers)]
    record_all(database, *written)
    kept = all_entries(database)[first:]
    assert [(entry.key, entry.value) for entry in kept] == [(record.key, record.value) for record in written]
    shown = entries.get("/audit/entries", params={"after": first - 1, "limit": 1000})
    assert shown.status_code == 200
    assert len(shown.json()["items"]) == len(written)


@few
@given(parts, some_headers, marked)
def test_the_console_shows_any_record_on_one_line_without_controls_and_personal_data(
    other: Any, headers: Any, name: str
) -> None:
    person = a_user_registered(full_name=name.encode(errors="replace").decode(), email=f"{MARK}@example.org")
    registered = with_headers(a_record(an_envelope(), person), headers)
    for record in (anything(0, *other), registered):
        for personal in (True, False):
            shown = events.line(record, personal=personal)
            assert not UNPRINTABLE.search(shown)
            assert len(shown.splitlines()) == 1
            assert personal or MARK not in shown


@few
@given(parts, marked)
def test_the_console_shows_and_lists_any_held_record_without_controls(
    stored: str, capsys: pytest.CaptureFixture[str], other: Any, detail: str
) -> None:
    record = anything(0, *other)
    one = Held(record=record, topic_id="", state=State.DEAD, reason="malformed", detail=detail, since=NOW)
    database = Database(stored)
    with database.write() as connection:
        connection.execute(table.held.delete())
        table.insert(connection, [one])
    with database.read() as connection:
        assert [kept.record for kept in selection.whole(connection, selection.Filters())] == [record]
    database.close()
    capsys.readouterr()
    held.list_held(ListOptions())
    held.show(record.place)
    shown = capsys.readouterr().out
    assert record.place in shown
    assert not any(UNPRINTABLE.search(line) for line in shown.split("\n"))


@pytest.fixture
def stored(database_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    database = Database(database_url)
    with database.write() as connection:
        table.held.create(connection)
    database.close()
    monkeypatch.setenv("APP_DATABASE_URL", database_url)
    return database_url
