"""The consumer: effects and progress together or not at all, and a clear end where going on would falsify something."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from sqlalchemy import Column, Connection, Integer, String, Table, insert, select
from sqlalchemy.exc import OperationalError

from services.chassis import consumer as module
from services.chassis import progress
from services.chassis.consumer import CannotApplyError, Consumer, Outcome, Source, Starts, Subscription
from services.chassis.database import Database, metadata
from services.chassis.dead_letters import CeilingError, DeadLetters, Refusal
from services.chassis.kafka.source import SourceError
from services.chassis.positions import TopicChangedError
from services.chassis.progress import Position
from services.chassis.record import Record, TopicPartition
from services.chassis.telemetry import Telemetry
from tests.builders import NOW, a_telemetry
from tests.fakes import FakeBroker, FakeClock, FakeLog, FakeSource

TOPIC, GROUP = "numbers.v1", "group"
P0, P1 = TopicPartition(TOPIC, 0), TopicPartition(TOPIC, 1)
PATIENCE_S = 20.0
effects = Table("test_effects", metadata, Column("id", Integer, primary_key=True), Column("value", String(20)))


class Outages(Database):
    """A database that is away as often as it is told to be."""

    away = 0

    @contextmanager
    def read(self) -> Iterator[Connection]:
        self._go_away()
        with super().read() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        self._go_away()
        with super().write() as connection:
            yield connection

    def _go_away(self) -> None:
        if self.away:
            self.away -= 1
            raise OperationalError("any", {}, Exception("the database is away"))


class World:
    """A broker, a database, a dead-letter topic and a handler that keeps each value as a row."""

    def __init__(self, url: str) -> None:
        self.database = Outages(url)
        self.broker = FakeBroker(partitions=2)
        self.broker.create(TOPIC, "id-of-the-topic")
        self.letters = FakeLog()
        self.clock = FakeClock(NOW)
        self.told: Telemetry = a_telemetry(self.clock)
        self.batches: list[list[str]] = []
        self.before_commit: Callable[[], None] = lambda: None
        with self.database.write() as connection:
            metadata.create_all(connection, [progress.progress, effects])

    def write(self, *values: str, to: TopicPartition = P0) -> None:
        for value in values:
            self.broker.write(to, value.encode(), b"key", [])

    def handle(self, connection: Connection, records: Sequence[Record]) -> Outcome:
        """Insert each value; one that begins with "bad" is refused, "poison" cannot be applied."""
        values = [(record.value or b"").decode() for record in records]
        self.batches.append(values)
        for value in values:
            if value == "poison":
                raise ZeroDivisionError("division by zero")
            if not value.startswith("bad"):
                connection.execute(insert(effects).values(value=value))
        self.before_commit()
        applied = [(record, "user.sang", NOW) for record in records]
        return Outcome([Refusal(r, "bad", "it is") for r in records if (r.value or b"").startswith(b"bad")], applied)

    def subscription(self, **changed: Any) -> Subscription:
        letters = DeadLetters("group.dlq.v1", GROUP, self.letters.open_producer, 3, lambda: 0.0)
        usual = Subscription(GROUP, (TOPIC,), self.handle, self.broker.open_source, self.broker, letters)
        return msgspec.structs.replace(usual, **changed)

    def consumer(self, **changed: Any) -> tuple[Consumer, FakeSource]:
        """Return a consumer and the member it steps with; the test makes the steps."""
        sources: list[FakeSource] = []

        def open_source(group: str, topics: Sequence[str], starts: Starts) -> Source:
            sources.append(self.broker.open_source(group, topics, starts))
            return sources[-1]

        consumer = Consumer(self.subscription(open_source=open_source, **changed), self.database, self.told)
        consumer._open()  # noqa: SLF001  # a test makes one step at a time, `run` all of them
        return consumer, sources[0]

    def effects(self) -> list[str]:
        with self.database.read() as connection:
            return list(connection.execute(select(effects.c.value).order_by(effects.c.id)).scalars())

    def progress(self) -> dict[int, int]:
        with self.database.read() as connection:
            found = progress.read(connection, [P0, P1])
        return {place.partition: position.next_offset for place, position in found.items()}

    def metric(self, name: str, **labels: str) -> float:
        return self.told.metrics.registry.get_sample_value(name, labels) or 0.0

    def applied(self) -> float:
        return self.metric("event_end_to_end_latency_seconds_count", service="test", type="user.sang")


@pytest.fixture
def world(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr(module, "BACK_OFF_S", (0.0,))
    world = World(database_url)
    yield world
    world.database.close()


def test_effects_and_progress_of_a_batch_are_committed_together(world: World) -> None:
    world.write("a", "b")
    world.write("c", to=P1)
    consumer, source = world.consumer()
    consumer.step(source)
    assert sorted(world.effects()) == ["a", "b", "c"]
    assert world.progress() == {0: 2, 1: 1}
    assert world.broker.hints == {P0: 2, P1: 1}


def test_a_failure_before_the_commit_leaves_neither_effects_nor_progress(world: World) -> None:
    world.write("a")
    consumer, source = world.consumer()

    def fail() -> None:
        raise MemoryError

    world.before_commit = fail
    with pytest.raises(CannotApplyError):
        consumer.step(source)
    assert (world.effects(), world.progress(), world.broker.hints) == ([], {}, {})


def test_a_batch_holds_no_more_records_than_allowed(world: World) -> None:
    world.write("a", "b", "c")
    consumer, source = world.consumer(batch=2)
    consumer.step(source)
    consumer.step(source)
    consumer.step(source)
    assert world.batches == [["a", "b"], ["c"]]


def test_a_new_member_reads_on_where_the_progress_is(world: World) -> None:
    world.write("a", "b")
    consumer, source = world.consumer()
    consumer.step(source)
    world.write("c")
    consumer, source = world.consumer()
    consumer.step(source)
    assert world.batches == [["a", "b"], ["c"]]


def test_the_loser_of_a_race_rolls_back_and_goes_on_where_the_winner_is(world: World) -> None:
    world.write("a", "b", "c")
    loser, source_of_loser = world.consumer(batch=2)
    loser.step(source_of_loser)
    winner, source_of_winner = world.consumer()
    winner.step(source_of_winner)
    world.write("d")
    loser.step(source_of_loser)
    assert world.batches == [["a", "b"], ["c"], ["c", "d"]]
    assert (world.effects(), world.progress()) == (["a", "b", "c"], {0: 3})
    loser.step(source_of_loser)
    assert (world.effects(), world.progress()) == (["a", "b", "c", "d"], {0: 4})
    assert world.metric("progress_lost_races_total") == 1


def test_a_race_lost_at_the_first_record_is_lost_as_well(world: World) -> None:
    world.write("a")
    consumer, source = world.consumer()
    source.poll(0, 0)  # assigned, nothing read
    other, source_of_other = world.consumer()
    other.step(source_of_other)
    consumer.step(source)
    assert world.effects() == ["a"]
    assert "seek" in source.story
    consumer.step(source)
    assert (world.effects(), world.metric("progress_lost_races_total")) == (["a"], 1)


def test_while_the_database_is_away_it_is_paused_polled_and_resumed(world: World) -> None:
    world.write("a", "bad")
    consumer, source = world.consumer()
    consumer.step(source)
    world.write("b")
    source.story.clear()
    world.database.away = 3
    for _ in range(4):
        consumer.step(source)
    assert source.story == ["poll", "pause", "poll", "poll", "poll", "seek", "resume"]
    assert len(world.letters.records) == 1
    consumer.step(source)
    assert (world.effects(), world.progress()) == (["a", "b"], {0: 3})


def test_a_database_that_is_away_at_the_assignment_is_waited_out_with_a_new_member(world: World) -> None:
    world.write("a")
    world.database.away = 3
    run_until(world, lambda: bool(world.broker.hints))
    assert world.effects() == ["a"]
    assert [member.story[-1] for member in world.broker.members] == ["close"] * len(world.broker.members)
    assert len(world.broker.members) == 4


def run_until(world: World, holds: Callable[[], bool], **changed: Any) -> None:
    """Run a consumer in a thread until something holds; raise what it raises."""
    stop = threading.Event()
    raised: list[BaseException] = []

    def run() -> None:
        try:
            Consumer(world.subscription(**changed), world.database, world.told).run(stop)
        except Exception as error:  # noqa: BLE001  # handed to the test
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    deadline = threading.Event()
    for _ in range(int(PATIENCE_S / 0.005)):
        if holds() or raised:
            break
        deadline.wait(0.005)
    stop.set()
    thread.join(PATIENCE_S)
    assert not thread.is_alive()
    if raised:
        raise raised[0]
    assert holds(), f"effects {world.effects()}, progress {world.progress()}"


def test_running_consumes_until_the_stop_and_leaves_the_group(world: World) -> None:
    world.write("a", "b")
    run_until(world, lambda: world.broker.hints.get(P0) == 2)
    assert world.effects() == ["a", "b"]
    assert world.broker.members[0].story[-1] == "close"


def test_a_refused_record_is_put_aside_before_the_progress_moves_and_the_others_are_applied(world: World) -> None:
    world.write("a", "bad", "b")
    progress_at_put: list[int] = []
    world.letters.open_producer = told_when_opened(world, progress_at_put)  # type: ignore[method-assign]
    consumer, source = world.consumer()
    consumer.step(source)
    assert progress_at_put == [0]
    assert world.letters.values() == [b"bad"]
    assert (world.effects(), world.progress()) == (["a", "b"], {0: 3})
    assert world.metric("dead_letters_total", reason="bad") == 1


def told_when_opened(world: World, progress_at_put: list[int]) -> Callable[[], Any]:
    """Return a way to open a producer that notes the progress another process would see at that moment."""
    open_producer = world.letters.open_producer
    other = Database(world.database.engine.url.render_as_string(hide_password=False))

    def opened() -> Any:  # a fake producer
        with other.read() as connection:
            progress_at_put.append(len(progress.read(connection, [P0])))
        other.close()
        return open_producer()

    return opened


def test_while_the_dead_letter_topic_is_away_nothing_moves_and_nothing_is_lost(world: World) -> None:
    world.write("a", "bad")
    world.letters.refuse = 2
    consumer, source = world.consumer()
    consumer.step(source)
    assert (world.effects(), world.progress(), "pause" in source.story) == ([], {}, True)
    for _ in range(4):
        consumer.step(source)
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


def test_a_failing_record_among_good_ones_is_named_after_the_good_ones_before_it_are_applied(world: World) -> None:
    world.write("a", "b", "poison", "c")
    with pytest.raises(CannotApplyError, match=r"^numbers\.v1\[0\]@2: ZeroDivisionError: division by zero$"):
        run_until(world, lambda: False)
    assert (world.effects(), world.progress()) == (["a", "b"], {0: 2})


def test_a_failure_that_only_the_whole_batch_has_is_got_over_record_by_record(world: World) -> None:
    def fail() -> None:
        if len(world.batches[-1]) > 1:
            raise MemoryError

    world.write("a", "b")
    world.before_commit = fail
    run_until(world, lambda: world.broker.hints.get(P0) == 2)
    assert (world.effects(), world.progress()) == (["a", "b"], {0: 2})


def test_a_topic_made_anew_stops_the_consumer_with_both_ids(world: World) -> None:
    world.write("a")
    run_until(world, lambda: bool(world.broker.hints))
    world.broker.create(TOPIC, "another-id")
    with pytest.raises(TopicChangedError, match=r"(?s)numbers\.v1.*another-id.*id-of-the-topic"):
        run_until(world, lambda: False)


def test_a_rewound_offset_stops_the_consumer_with_both_offsets(world: World) -> None:
    world.write("a", "b")
    consumer, source = world.consumer()
    consumer.step(source)
    source.seek({P0: 1})
    with pytest.raises(TopicChangedError, match=r"numbers\.v1\[0\]@1 was read, but everything below 2 is applied"):
        consumer.step(source)
    assert world.effects() == ["a", "b"]


def test_an_offset_that_is_no_longer_on_the_log_stops_the_consumer(world: World) -> None:
    world.write("a", "b", "c")
    run_until(world, lambda: bool(world.broker.hints), batch=1)
    with world.database.write() as connection:
        connection.execute(progress.progress.update().values(next_offset=1))
    world.broker.truncate(P0, before=2)
    with pytest.raises(SourceError, match=r"numbers\.v1\[0\]@1"):
        run_until(world, lambda: False)


def test_replays_stay_out_of_the_latency(world: World) -> None:
    world.write("old")
    consumer, source = world.consumer()
    source.poll(0, 0)
    assert consumer.replaying
    world.write("new")
    consumer.step(source)
    assert not consumer.replaying
    assert (world.effects(), world.applied()) == (["old", "new"], 1)


def test_a_consumer_that_was_stopped_for_a_while_tells_the_latency_of_what_it_missed(world: World) -> None:
    world.write("old")
    run_until(world, lambda: world.broker.hints.get(P0) == 1)
    world.write("missed")
    world.clock.move(timedelta(hours=1).total_seconds())
    run_until(world, lambda: world.broker.hints.get(P0) == 2)
    total = "event_end_to_end_latency_seconds_sum"
    assert world.metric(total, service="test", type="user.sang") == 3600


def test_a_partition_that_was_taken_away_during_its_replay_is_not_waited_for(world: World) -> None:
    world.write("a", to=P1)
    consumer, source = world.consumer()
    source.poll(0, 0)
    source.revoke([P1])
    world.write("b")
    consumer.step(source)
    assert not consumer.replaying


def test_a_partition_that_comes_back_is_read_on_where_the_other_member_left_it(world: World) -> None:
    world.write("a", "b")
    consumer, source = world.consumer(batch=1)
    consumer.step(source)
    source.revoke([P0])
    other, source_of_other = world.consumer()
    other.step(source_of_other)
    world.write("c")
    source.assign([P0])
    consumer.step(source)
    assert world.effects() == ["a", "b", "c"]
    assert world.metric("progress_lost_races_total") == 0


def test_others_are_woken_after_a_commit_and_not_without_one(world: World) -> None:
    wake = threading.Event()
    consumer, source = world.consumer(wakes=(wake,))
    consumer.step(source)
    assert not wake.is_set()
    world.write("a")
    consumer.step(source)
    assert wake.is_set()


def test_what_is_consumed_is_counted_by_topic_and_group(world: World) -> None:
    world.write("a", "b")
    consumer, source = world.consumer()
    consumer.step(source)
    labels = {"messaging_system": "kafka", "messaging_destination_name": TOPIC, "messaging_consumer_group_name": GROUP}
    assert world.metric("messaging_client_consumed_messages_total", **labels) == 2


def test_the_progress_names_the_topic_that_was_read(world: World) -> None:
    world.write("a")
    run_until(world, lambda: bool(world.broker.hints))
    with world.database.read() as connection:
        assert progress.read(connection, [P0]) == {P0: Position("id-of-the-topic", 1)}
