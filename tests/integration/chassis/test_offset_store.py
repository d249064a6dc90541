"""Progress: moved from where it was last seen, or not at all."""

import pytest

from services.chassis.consumer import offset_store
from services.chassis.consumer.offset_store import LostRaceError, Position
from services.chassis.database.database import Database, metadata
from services.chassis.messages.record import TopicPartition

P0, P1, OTHER = TopicPartition("t", 0), TopicPartition("t", 1), TopicPartition("other", 0)
AT_5 = Position("id", 5)


@pytest.fixture(autouse=True)
def _tables(database: Database) -> None:
    with database.write() as connection:
        metadata.create_all(connection, [offset_store.progress])


def move(database: Database, have: offset_store.Positions, to: offset_store.Positions) -> None:
    with database.write() as connection:
        offset_store.move(connection, have, to)


def read(database: Database, *partitions: TopicPartition) -> offset_store.Positions:
    with database.read() as connection:
        return offset_store.read(connection, partitions)


def test_partitions_have_positions_of_their_own(database: Database) -> None:
    move(database, {}, {P0: AT_5, OTHER: Position("other-id", 2)})
    assert read(database, P0, P1) == {P0: AT_5}
    assert read(database, OTHER, P1) == {OTHER: Position("other-id", 2)}
    assert read(database) == {}


def test_a_position_moves_from_where_it_was_seen(database: Database) -> None:
    move(database, {}, {P0: AT_5})
    move(database, {P0: AT_5}, {P0: Position("id", 9), P1: AT_5})
    assert read(database, P0, P1) == {P0: Position("id", 9), P1: AT_5}


@pytest.mark.parametrize(
    "have",
    [
        pytest.param({}, id="who began as well"),
        pytest.param({P0: Position("id", 4)}, id="who saw an earlier offset"),
        pytest.param({P0: Position("id", 6)}, id="who saw a later offset"),
    ],
)
def test_who_saw_something_else_has_lost_and_moves_nothing(database: Database, have: offset_store.Positions) -> None:
    move(database, {}, {P0: AT_5})
    with pytest.raises(LostRaceError, match=r"t\[0\]: not every position is where it was read"):
        move(database, have, {P1: Position("id", 1), P0: Position("id", 7)})
    assert read(database, P0, P1) == {P0: AT_5}


def test_a_topic_made_anew_is_another_position(database: Database) -> None:
    move(database, {}, {P0: AT_5})
    with pytest.raises(LostRaceError):
        move(database, {P0: Position("new", 5)}, {P0: Position("new", 7)})
