"""Deduplication with the inbox: each event id of a source, and each version of a subject, is applied once."""

from datetime import timedelta

import pytest
from sqlalchemy import Connection

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
