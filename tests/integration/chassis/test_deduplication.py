"""Deduplication with the inbox: each event id of a source, and each version of a subject, is applied once."""

from datetime import timedelta

import pytest
from sqlalchemy import Connection, delete

from services.chassis.consumer import idempotency
from services.chassis.consumer.decoding import Event
from services.chassis.database.database import Database, metadata
from tests.support.builders import NOW, a_record, a_user_registered, an_envelope

REMEMBERING = idempotency.Remembering(NOW, timedelta(days=45))


@pytest.fixture(autouse=True)
def _tables(database: Database) -> None:
    with database.write() as connection:
        metadata.create_all(connection, [idempotency.inbox])


def an_event(number: int, value: bytes = b"{}", **envelope: object) -> Event:
    """Return an event whose id and version are a number by default."""
    described = an_envelope(**({"id": f"id-{number}", "version": number} | envelope))
    return Event(a_record(described, value), described, a_user_registered())


def deduplicate(database: Database, *events: Event) -> tuple[list[str], list[str], list[str]]:
    """Return the ids of new events, repeats, conflicts."""
    with database.write() as connection:
        result = idempotency.deduplicate(connection, events, REMEMBERING)
    new, repeats, conflicts = (
        [event.envelope.id for event in part] for part in (result.new, result.repeats, result.conflicts)
    )
    return new, repeats, conflicts


def test_new_events_keep_their_order_at_any_version(database: Database) -> None:
    assert deduplicate(database, an_event(3), an_event(1), an_event(2)) == (["id-3", "id-1", "id-2"], [], [])


def test_an_empty_batch_gives_nothing(database: Database) -> None:
    assert deduplicate(database) == ([], [], [])


def test_an_applied_event_is_a_repeat_in_a_later_batch_and_in_the_same(database: Database) -> None:
    assert deduplicate(database, an_event(1), an_event(1)) == (["id-1"], ["id-1"], [])
    assert deduplicate(database, an_event(1), an_event(2), an_event(2)) == (["id-2"], ["id-1", "id-2"], [])


@pytest.mark.parametrize(
    "contradiction",
    [
        pytest.param(an_event(1, b'{"other":1}'), id="the same id and version with another content"),
        pytest.param(an_event(1, version=2), id="the same id with another version"),
        pytest.param(an_event(1, id="id-x"), id="the same version with another id"),
    ],
)
def test_a_different_event_is_a_conflict_in_a_later_batch_and_in_the_same(
    database: Database, contradiction: Event
) -> None:
    name = contradiction.envelope.id
    assert deduplicate(database, an_event(1), contradiction, an_event(9)) == (["id-1", "id-9"], [], [name])
    assert deduplicate(database, contradiction, an_event(8)) == (["id-8"], [], [name])
    assert deduplicate(database, an_event(1), contradiction) == ([], ["id-1"], [name])


def test_sources_and_subjects_are_independent(database: Database) -> None:
    elsewhere = an_event(1, source="/user/notices")
    somebody = an_event(1, id="id-s", subject="somebody")
    assert deduplicate(database, an_event(1), elsewhere, somebody) == (["id-1", "id-1", "id-s"], [], [])
    assert deduplicate(database, elsewhere, somebody) == ([], ["id-1", "id-s"], [])


def test_a_large_batch_is_stored_completely(database: Database) -> None:
    events = [an_event(number) for number in range(1, 2501)]
    assert len(deduplicate(database, *events)[0]) == 2500
    assert len(deduplicate(database, *events)[1]) == 2500


def deduplicated_and_failed(connection: Connection) -> Exception:
    """Deduplicate an event, and return an error to raise."""
    assert idempotency.deduplicate(connection, [an_event(1)], REMEMBERING).new != []
    return ZeroDivisionError()


def test_a_batch_that_is_rolled_back_is_not_stored(database: Database) -> None:
    with pytest.raises(ZeroDivisionError), database.write() as connection:
        raise deduplicated_and_failed(connection)
    assert deduplicate(database, an_event(1))[0] == ["id-1"]


LONG_AGO = NOW - timedelta(days=50)


def forget(database: Database, *ids: str) -> None:
    """Delete rows as `chassis.database.forgetting` does."""
    with database.write() as connection:
        for event_id in ids:
            connection.execute(delete(idempotency.inbox).where(idempotency.inbox.c.event_id == event_id))


def test_a_forgotten_event_that_comes_again_is_a_repeat_as_its_subject_is_further(database: Database) -> None:
    old = [an_event(number, time=LONG_AGO) for number in (1, 2, 3)]
    deduplicate(database, *old)
    forget(database, "id-1", "id-2")
    assert deduplicate(database, *old) == ([], ["id-1", "id-2", "id-3"], [])


def test_an_old_event_that_comes_for_the_first_time_is_new_as_no_later_one_of_its_subject_was_applied(
    database: Database,
) -> None:
    assert deduplicate(database, an_event(1, time=LONG_AGO), an_event(2, time=LONG_AGO))[0] == ["id-1", "id-2"]
    assert deduplicate(database, an_event(3, time=LONG_AGO))[0] == ["id-3"]
    assert deduplicate(database, an_event(1, time=LONG_AGO, subject="other", id="other"))[0] == ["other"]


def test_a_young_event_behind_later_ones_is_new_as_nothing_of_its_time_was_forgotten(database: Database) -> None:
    deduplicate(database, an_event(5))
    assert deduplicate(database, an_event(4))[0] == ["id-4"]


def test_an_old_event_with_the_version_of_the_newest_is_still_a_conflict(database: Database) -> None:
    deduplicate(database, an_event(2, time=LONG_AGO))
    assert deduplicate(database, an_event(2, time=LONG_AGO, id="id-x"))[2] == ["id-x"]
