"""The inbox: of each source's event ids and versions, every one is applied once."""

import pytest
from sqlalchemy import Connection

from services.chassis.consumer import inbox
from services.chassis.consumer.decoding import Event
from services.chassis.database.database import Database, metadata
from tests.support.builders import a_record, a_user_registered, an_envelope


@pytest.fixture(autouse=True)
def _tables(database: Database) -> None:
    with database.write() as connection:
        metadata.create_all(connection, [inbox.inbox])


def an_event(number: int, value: bytes = b"{}", **envelope: object) -> Event:
    """Return an event whose id and version are a number, unless they are given."""
    told = an_envelope(**({"id": f"id-{number}", "version": number} | envelope))
    return Event(a_record(told, value), told, a_user_registered())


def sift(database: Database, *events: Event) -> tuple[list[str], list[str], list[str]]:
    """Return the ids that are fresh, repeats, conflicts."""
    with database.write() as connection:
        sifted = inbox.sift(connection, events)
    fresh, repeats, conflicts = (
        [event.envelope.id for event in part] for part in (sifted.fresh, sifted.repeats, sifted.conflicts)
    )
    return fresh, repeats, conflicts


def test_what_is_new_is_fresh_in_its_order_whatever_its_version(database: Database) -> None:
    assert sift(database, an_event(3), an_event(1), an_event(2)) == (["id-3", "id-1", "id-2"], [], [])


def test_nothing_is_nothing(database: Database) -> None:
    assert sift(database) == ([], [], [])


def test_what_was_applied_is_a_repeat_in_a_later_batch_and_in_the_same(database: Database) -> None:
    assert sift(database, an_event(1), an_event(1)) == (["id-1"], ["id-1"], [])
    assert sift(database, an_event(1), an_event(2), an_event(2)) == (["id-2"], ["id-1", "id-2"], [])


@pytest.mark.parametrize(
    "contradiction",
    [
        pytest.param(an_event(1, b'{"other":1}'), id="the same id and version with another content"),
        pytest.param(an_event(1, version=2), id="the same id with another version"),
        pytest.param(an_event(1, id="id-x"), id="the same version with another id"),
    ],
)
def test_a_contradiction_is_a_conflict_in_a_later_batch_and_in_the_same(
    database: Database, contradiction: Event
) -> None:
    name = contradiction.envelope.id
    assert sift(database, an_event(1), contradiction, an_event(9)) == (["id-1", "id-9"], [], [name])
    assert sift(database, contradiction, an_event(8)) == (["id-8"], [], [name])
    assert sift(database, an_event(1), contradiction) == ([], ["id-1"], [name])


def test_sources_and_subjects_are_strangers_to_each_other(database: Database) -> None:
    elsewhere = an_event(1, source="/user/notices")
    somebody = an_event(1, id="id-s", subject="somebody")
    assert sift(database, an_event(1), elsewhere, somebody) == (["id-1", "id-1", "id-s"], [], [])
    assert sift(database, elsewhere, somebody) == ([], ["id-1", "id-s"], [])


def test_a_large_batch_is_remembered_whole(database: Database) -> None:
    events = [an_event(number) for number in range(1, 2501)]
    assert len(sift(database, *events)[0]) == 2500
    assert len(sift(database, *events)[1]) == 2500


def sifted_and_failed(connection: Connection) -> Exception:
    """Sift an event, and return what happens then."""
    assert inbox.sift(connection, [an_event(1)]).fresh != []
    return ZeroDivisionError()


def test_a_batch_that_is_rolled_back_is_not_remembered(database: Database) -> None:
    with pytest.raises(ZeroDivisionError), database.write() as connection:
        raise sifted_and_failed(connection)
    assert sift(database, an_event(1))[0] == ["id-1"]
