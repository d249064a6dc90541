"""The consumer: invalid records are held as dead, and it stops where going on would lose or falsify something."""

from collections.abc import Iterator

import pytest
from sqlalchemy.exc import OperationalError

from services.chassis.consumer import loop as module
from services.chassis.consumer import offset_store
from services.chassis.consumer.batch_processor import CannotApplyError
from services.chassis.consumer.held.reasons import CeilingError
from services.chassis.consumer.offset_tracker import TopicChangedError
from services.chassis.kafka.group_consumer import PartitionReadError
from services.chassis.messages.publisher import PublishError
from tests.support.consumer_harness import P0, TOPIC, World, run_until


@pytest.fixture
def world(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr(module, "BACKOFF_S", (0.0,))
    world = World(database_url)
    yield world
    world.database.close()


def test_a_refused_record_is_held_in_the_transaction_of_the_batch_and_the_others_are_applied(world: World) -> None:
    world.write("a", "bad", "b")
    consumer, member = world.consumer(parked_keys_ceiling=1)
    consumer.process_batch(member)
    (one,) = world.held()
    assert (one.record.place, one.state, one.reason, one.detail) == ("numbers.v1[0]@1", "dead", "invalid", "it is bad")
    assert (one.topic_id, one.since, one.attempts) == ("id-of-the-topic", world.clock(), 0)
    assert (world.effects(), world.progress()) == (["a", "b"], {0: 3})
    assert world.letters.records == [], "the consumer waited for Kafka"
    assert world.metric("dead_letters_total", reason="invalid") == 1
    assert world.metric("held_records", state="dead", reason="invalid") == 1


def test_a_batch_that_is_rolled_back_holds_nothing(world: World) -> None:
    def fail() -> None:
        raise OperationalError("any", {}, Exception("the database is unreachable"))

    world.write("a", "bad")
    world.before_commit = fail
    consumer, member = world.consumer()
    consumer.process_batch(member)
    assert (world.effects(), world.progress(), world.held()) == ([], {}, [])


def test_an_unreachable_dead_letter_topic_delays_no_effect_and_all_letters_follow(world: World) -> None:
    world.letters.refuse = 2
    consumer, member = world.consumer(ceiling=10)
    relay = world.relay()
    for value in ("bad1", "a", "bad2", "b"):
        world.write(value)
        consumer.process_batch(member)
        if value.startswith("bad"):
            with pytest.raises(PublishError):
                relay.publish()
    assert (world.effects(), world.progress()) == (["a", "b"], {0: 4})
    assert relay.publish() == 2
    assert {letter.value for letter in world.letters.records} == {b"bad1", b"bad2"}
    assert (world.due(), len(world.held())) == ([], 2)


def test_above_the_ceiling_the_consumer_stops_and_nothing_is_committed(world: World) -> None:
    world.write("bad1", "bad2", "bad3", "bad4")
    with pytest.raises(CeilingError, match=r"numbers\.v1\[0\]@3"):
        run_until(world, lambda: False)
    assert (world.held(), world.progress()) == ([], {})


def test_a_handler_that_refuses_where_no_record_can_be_held_stops_the_consumer(world: World) -> None:
    world.write("bad")
    with pytest.raises(CannotApplyError, match=r"numbers\.v1\[0\]@0: .*no record can be held here"):
        run_until(world, lambda: False, held=None)


def test_a_failing_record_is_named_after_the_records_before_it_are_applied(world: World) -> None:
    world.write("a", "b", "poison", "c")
    with pytest.raises(CannotApplyError, match=r"^numbers\.v1\[0\]@2: ZeroDivisionError: division by zero$"):
        run_until(world, lambda: False, held=None)
    assert (world.effects(), world.progress()) == (["a", "b"], {0: 2})


def test_a_failure_of_the_whole_batch_only_is_solved_record_by_record(world: World) -> None:
    def fail() -> None:
        if len(world.batches[-1]) > 1:
            raise MemoryError

    world.write("a", "b")
    world.before_commit = fail
    run_until(world, lambda: world.broker.hints.get(P0) == 2)
    assert (world.effects(), world.progress()) == (["a", "b"], {0: 2})


def test_a_recreated_topic_stops_the_consumer_with_both_ids(world: World) -> None:
    world.write("a")
    run_until(world, lambda: bool(world.broker.hints))
    world.broker.create(TOPIC, "another-id")
    with pytest.raises(TopicChangedError, match=r"(?s)numbers\.v1.*another-id.*id-of-the-topic"):
        run_until(world, lambda: False)


def test_a_rewound_offset_stops_the_consumer_with_both_offsets(world: World) -> None:
    world.write("a", "b")
    consumer, member = world.consumer()
    consumer.process_batch(member)
    member.seek({P0: 1})
    with pytest.raises(TopicChangedError, match=r"numbers\.v1\[0\]@1 was read, but everything below 2 is applied"):
        consumer.process_batch(member)
    assert world.effects() == ["a", "b"]


def test_a_truncated_offset_stops_the_consumer(world: World) -> None:
    world.write("a", "b", "c")
    run_until(world, lambda: bool(world.broker.hints), batch=1)
    with world.database.write() as connection:
        connection.execute(offset_store.progress.update().values(next_offset=1))
    world.broker.truncate(P0, before=2)
    with pytest.raises(PartitionReadError, match=r"numbers\.v1\[0\]@1"):
        run_until(world, lambda: False)
