"""The event store: no gap, no repeat, no time that goes back, with concurrent transactions."""

import contextlib
import multiprocessing
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError

from services.chassis.database.database import Database
from services.chassis.messages.event import Metadata, NewEvent, StoredEvent
from services.chassis.outbox import event_store
from services.chassis.outbox.record_size import EventTooLargeError
from services.contracts.envelope import LARGEST_RECORD
from tests.support.builders import NOW, USER_ID, a_new_event, an_event_store, append, append_events

ROUNDS = 25
PATIENCE_S = 60.0


@pytest.fixture(autouse=True)
def _tables(database: Database) -> None:
    an_event_store(database)


def stored(database: Database) -> list[StoredEvent]:
    with database.read() as connection:
        return event_store.read(connection, 0, 10_000)


def append_many(database: Database, name: str) -> None:
    """Append in many transactions, of which each third is rolled back after the insert."""
    for number in range(ROUNDS):
        with database.write() as connection:
            with event_store.appending(connection, NOW) as pending:
                pending.events += _some(name, number)
            if number % 3 == 0:
                connection.rollback()


def _some(name: str, number: int) -> Iterator[NewEvent]:
    for version in (1, 2):
        subject = f"{name}-{number}"
        yield a_new_event(version, event_id=f"{subject}-{version}", subject=subject)


def append_many_in_a_process(url: str, name: str) -> None:
    """Append in a process with its own connections."""
    database = Database(url)
    append_many(database, name)
    database.close()


def in_threads(database: Database, _: str) -> None:
    threads = [threading.Thread(target=append_many, args=(database, name)) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
        assert not thread.is_alive()


def in_processes(_: Database, url: str) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=append_many_in_a_process, args=(url, name)) for name in ("a", "b")]
    for process in processes:
        process.start()
    for process in processes:
        process.join(PATIENCE_S)
        assert process.exitcode == 0


@pytest.mark.parametrize("run", [in_threads, in_processes])
def test_two_appending_clients_take_turns_and_leave_no_gap(
    database: Database, database_url: str, run: Callable[[Database, str], None]
) -> None:
    run(database, database_url)
    events = stored(database)
    kept = 2 * len([number for number in range(ROUNDS) if number % 3])
    assert [event.sequence for event in events] == list(range(1, 2 * kept + 1))
    assert {event.event.subject[0] for event in events} == {"a", "b"}


def test_an_event_is_read_back_as_it_was_appended(database: Database) -> None:
    event = NewEvent("e", USER_ID, 1, "user.sang", '{"ä":1}', Metadata("c", "cause", "trace"), '{"s":2}')
    append(database, event)
    assert stored(database) == [StoredEvent(1, NOW, event)]


def test_reading_goes_on_after_a_sequence_number_in_portions(database: Database) -> None:
    append_events(database, 1, 2, 3, 4)
    with database.read() as connection:
        assert [event.sequence for event in event_store.read(connection, 1, 2)] == [2, 3]
        assert event_store.read(connection, 4, 2) == []


def test_a_block_without_events_uses_no_sequence_number(database: Database) -> None:
    append_events(database, 1)
    append(database)
    append_events(database, 2)
    assert [event.sequence for event in stored(database)] == [1, 2]


def test_a_block_or_a_transaction_that_fails_leaves_nothing(database: Database) -> None:
    suppressed = contextlib.suppress(ZeroDivisionError)  # the transaction itself commits
    with database.write() as connection, suppressed, event_store.appending(connection, NOW) as pending:
        pending.append(a_new_event(1))
        raise ZeroDivisionError
    assert stored(database) == []
    with pytest.raises(IntegrityError):
        append_events(database, 1, 1)
    append_events(database, 1)
    assert [event.sequence for event in stored(database)] == [1]


def test_an_event_that_no_record_could_hold_is_never_stored(database: Database) -> None:
    with pytest.raises(EventTooLargeError, match=r"a user\.registered of 1048577 bytes is more than a record can hold"):
        append(database, a_new_event(1), a_new_event(2, data="x" * (LARGEST_RECORD + 1)))
    assert stored(database) == []


def test_a_version_of_a_subject_and_an_event_id_exist_once(database: Database) -> None:
    append_events(database, 1)
    for twice in (a_new_event(2, event_id="event-1"), a_new_event(1, event_id="event-2")):
        with pytest.raises(IntegrityError):
            append(database, twice)


@pytest.mark.parametrize(
    ("clock", "times"),
    [
        pytest.param((0, -59, 1), (0, 0, 1), id="replicas differ a little"),
        pytest.param((86_400, 0, 1), (86_400, 0, 1), id="a clock was a day ahead"),
    ],
)
def test_time_goes_back_only_where_a_clock_was_wrong_by_more_than_a_minute(
    database: Database, clock: tuple[int, ...], times: tuple[int, ...]
) -> None:
    seen: list[datetime] = []

    for version, seconds in enumerate(clock, start=1):
        now = NOW + timedelta(seconds=seconds)
        with database.write() as connection, event_store.appending(connection, now) as pending:
            seen.append(pending.time)
            pending.append(a_new_event(version))
    assert seen == [event.time for event in stored(database)]
    assert seen == [NOW + timedelta(seconds=seconds) for seconds in times]


def test_the_lock_comes_first_so_that_a_block_sees_all_that_others_have_committed(database: Database) -> None:
    counts: list[int] = []

    def append_counting(name: str) -> None:
        with database.write() as connection, event_store.appending(connection, NOW) as pending:
            counts.append(len(connection.execute(select(event_store.events.c.sequence)).all()))
            pending.append(a_new_event(event_id=name, subject=name))

    threads = [threading.Thread(target=append_counting, args=(str(number),)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert counts == list(range(8))


def test_the_backlog_is_what_follows_a_number_and_the_time_of_its_oldest(database: Database) -> None:
    append_events(database, 1)
    append_events(database, 2, 3, at=NOW + timedelta(seconds=9))
    with database.read() as connection:
        assert event_store.backlog(connection, 0) == (3, NOW)
        assert event_store.backlog(connection, 1) == (2, NOW + timedelta(seconds=9))
        assert event_store.backlog(connection, 3) == (0, None)


def test_the_last_version_of_each_subject_that_has_one(database: Database) -> None:
    append_events(database, 1, 2)
    with database.read() as connection:
        assert event_store.last_versions(connection, [USER_ID, "nobody"]) == {USER_ID: 2}
        assert event_store.last_versions(connection, []) == {}


def test_a_database_without_its_first_rows_is_an_error_not_an_empty_store(database: Database) -> None:
    with database.write() as connection:
        connection.execute(event_store.counter.delete())
    with pytest.raises(Exception, match="No row was found"):
        append_events(database, 1)


def test_moments_keep_their_microseconds(database: Database) -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC)
    append_events(database, 1, at=moment)
    assert stored(database)[0].time == moment
    with database.write() as connection, pytest.raises(IntegrityError):
        connection.execute(insert(event_store.counter).values(id=1, last_sequence=0, last_time=0))
