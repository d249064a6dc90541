"""The consumer: invalid records are dead-lettered, and it stops where going on would lose or falsify something."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy.pool import QueuePool

from services.chassis.consumer import loop as module
from services.chassis.consumer import offset_store
from services.chassis.consumer.batch_processor import CannotApplyError
from services.chassis.consumer.dead_letters import CeilingError
from services.chassis.consumer.offset_tracker import TopicChangedError
from services.chassis.database.database import Database
from services.chassis.kafka.group_consumer import PartitionReadError
from tests.support.consumer_harness import P0, TOPIC, World, run_until


@pytest.fixture
def world(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr(module, "BACKOFF_S", (0.0,))
    world = World(database_url)
    yield world
    world.database.close()


def producer_that_notes_progress(world: World, progress_at_put: list[int]) -> Callable[[], Any]:
    """Return an `open_producer` that notes the offsets that another process reads at that moment."""
    open_producer = world.letters.open_producer
    other = Database(world.database.engine.url.render_as_string(hide_password=False))

    def opened() -> Any:  # a fake producer
        with other.read() as connection:
            progress_at_put.append(len(offset_store.read(connection, [P0])))
        other.close()
        return open_producer()

    return opened


def test_a_refused_record_is_dead_lettered_before_the_offsets_advance_and_the_others_are_applied(world: World) -> None:
    world.write("a", "bad", "b")
    progress_at_put: list[int] = []
    world.letters.open_producer = producer_that_notes_progress(world, progress_at_put)  # type: ignore[method-assign]
    consumer, member = world.consumer()
    consumer.process_batch(member)
    assert progress_at_put == [0]
    assert world.letters.values() == [b"bad"]
    assert (world.effects(), world.progress()) == (["a", "b"], {0: 3})
    assert world.metric("dead_letters_total", reason="invalid") == 1


def test_no_transaction_is_open_while_dead_letters_are_published(world: World) -> None:
    world.write("a", "bad")
    pool: QueuePool = world.database.engine.pool  # type: ignore[assignment]  # of either kind of database
    open_producer, in_use = world.letters.open_producer, list[int]()

    def opened() -> Any:  # a fake producer
        in_use.append(pool.checkedout())
        return open_producer()

    world.letters.open_producer = opened  # type: ignore[method-assign]
    consumer, member = world.consumer()
    consumer.process_batch(member)
    assert (in_use, world.letters.values(), world.effects()) == ([0], [b"bad"], ["a"])


def test_while_the_dead_letter_topic_is_unreachable_no_offset_advances_and_nothing_is_lost(world: World) -> None:
    world.write("a", "bad")
    world.letters.refuse = 2
    consumer, member = world.consumer()
    consumer.process_batch(member)
    assert (world.effects(), world.progress(), "pause" in member.story) == ([], {}, True)
    for _ in range(4):
        consumer.process_batch(member)
    assert (world.effects(), world.progress()) == (["a"], {0: 2})
    assert world.letters.values()[-1] == b"bad"


def test_above_the_ceiling_the_consumer_stops_and_nothing_is_committed(world: World) -> None:
    world.write("bad1", "bad2", "bad3", "bad4")
    with pytest.raises(CeilingError, match=r"numbers\.v1\[0\]@3"):
        run_until(world, lambda: False)
    assert (world.letters.records, world.progress()) == ([], {})


def test_a_handler_that_refuses_without_a_dead_letter_topic_stops_the_consumer(world: World) -> None:
    world.write("bad")
    with pytest.raises(CannotApplyError, match=r"numbers\.v1\[0\]@0: .*no dead-letter topic"):
        run_until(world, lambda: False, dead_letters=None)


def test_a_failing_record_is_named_after_the_records_before_it_are_applied(world: World) -> None:
    world.write("a", "b", "poison", "c")
    with pytest.raises(CannotApplyError, match=r"^numbers\.v1\[0\]@2: ZeroDivisionError: division by zero$"):
        run_until(world, lambda: False)
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
