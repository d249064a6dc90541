"""Offset storage: offsets advance from those last read, or not at all."""

import pytest

from services.chassis.consumer import offset_store
from services.chassis.consumer.offset_store import OffsetConflictError, Position
from services.chassis.database.database import Database, metadata
from services.chassis.messages.record import TopicPartition

P0, P1, OTHER = TopicPartition("t", 0), TopicPartition("t", 1), TopicPartition("other", 0)
AT_5 = Position("id", 5)


@pytest.fixture(autouse=True)
def _tables(database: Database) -> None:
    with database.write() as connection:
        metadata.create_all(connection, [offset_store.progress])


def advance(database: Database, previous: offset_store.Positions, to: offset_store.Positions) -> None:
    with database.write() as connection:
        offset_store.advance(connection, previous, to)


def read(database: Database, *partitions: TopicPartition) -> offset_store.Positions:
    with database.read() as connection:
        return offset_store.read(connection, partitions)


def test_partitions_have_positions_of_their_own(database: Database) -> None:
    advance(database, {}, {P0: AT_5, OTHER: Position("other-id", 2)})
    assert read(database, P0, P1) == {P0: AT_5}
    assert read(database, OTHER, P1) == {OTHER: Position("other-id", 2)}
    assert read(database) == {}


def test_an_offset_advances_from_the_one_last_read(database: Database) -> None:
    advance(database, {}, {P0: AT_5})
    advance(database, {P0: AT_5}, {P0: Position("id", 9), P1: AT_5})
    assert read(database, P0, P1) == {P0: Position("id", 9), P1: AT_5}


@pytest.mark.parametrize(
    "previous",
    [
        pytest.param({}, id="another first batch"),
        pytest.param({P0: Position("id", 4)}, id="an earlier offset"),
        pytest.param({P0: Position("id", 6)}, id="a later offset"),
    ],
)
def test_a_consumer_with_other_offsets_gets_a_conflict_and_stores_nothing(
    database: Database, previous: offset_store.Positions
) -> None:
    advance(database, {}, {P0: AT_5})
    with pytest.raises(OffsetConflictError, match=r"t\[0\]: the stored offsets are not those"):
        advance(database, previous, {P1: Position("id", 1), P0: Position("id", 7)})
    assert read(database, P0, P1) == {P0: AT_5}


def test_a_recreated_topic_is_a_conflict(database: Database) -> None:
    advance(database, {}, {P0: AT_5})
    with pytest.raises(OffsetConflictError):
        advance(database, {P0: Position("new", 5)}, {P0: Position("new", 7)})
