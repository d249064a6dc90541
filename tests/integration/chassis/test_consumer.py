"""The consumer: effects and offsets are committed together; races, outages and rebalances."""

import threading
from collections.abc import Iterator

import pytest

from services.chassis.consumer import loop as module
from services.chassis.consumer import offset_store
from services.chassis.consumer.batch_processor import CannotApplyError
from services.chassis.consumer.offset_store import Position
from tests.support.consumer_harness import GROUP, P0, P1, TOPIC, World, run_until


@pytest.fixture
def world(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr(module, "BACKOFF_S", (0.0,))
    world = World(database_url)
    yield world
    world.database.close()


def test_effects_and_offsets_of_a_batch_are_committed_together(world: World) -> None:
    world.write("a", "b")
    world.write("c", to=P1)
    consumer, member = world.consumer()
    consumer.process_batch(member)
    assert sorted(world.effects()) == ["a", "b", "c"]
    assert world.progress() == {0: 2, 1: 1}
    assert world.broker.hints == {P0: 2, P1: 1}


def test_a_failure_before_the_commit_leaves_neither_effects_nor_offsets(world: World) -> None:
    world.write("a")
    consumer, member = world.consumer()

    def fail() -> None:
        raise MemoryError

    world.before_commit = fail
    with pytest.raises(CannotApplyError):
        consumer.process_batch(member)
    assert (world.effects(), world.progress(), world.broker.hints) == ([], {}, {})


def test_a_batch_has_no_more_records_than_configured(world: World) -> None:
    world.write("a", "b", "c")
    consumer, member = world.consumer(batch=2)
    consumer.process_batch(member)
    consumer.process_batch(member)
    consumer.process_batch(member)
    assert world.batches == [["a", "b"], ["c"]]


def test_a_new_member_starts_at_the_stored_offset(world: World) -> None:
    world.write("a", "b")
    consumer, member = world.consumer()
    consumer.process_batch(member)
    world.write("c")
    consumer, member = world.consumer()
    consumer.process_batch(member)
    assert world.batches == [["a", "b"], ["c"]]


def test_a_consumer_with_an_offset_conflict_rolls_back_and_continues_from_the_stored_offset(world: World) -> None:
    world.write("a", "b", "c")
    loser, member_of_loser = world.consumer(batch=2)
    loser.process_batch(member_of_loser)
    winner, member_of_winner = world.consumer()
    winner.process_batch(member_of_winner)
    world.write("d")
    loser.process_batch(member_of_loser)
    assert world.batches == [["a", "b"], ["c"], ["c", "d"]]
    assert (world.effects(), world.progress()) == (["a", "b", "c"], {0: 3})
    loser.process_batch(member_of_loser)
    assert (world.effects(), world.progress()) == (["a", "b", "c", "d"], {0: 4})
    assert world.metric("progress_lost_races_total") == 1


def test_an_offset_conflict_at_the_first_record_is_detected(world: World) -> None:
    world.write("a")
    consumer, member = world.consumer()
    member.poll(0, 0)  # assigned, nothing read
    other, member_of_other = world.consumer()
    other.process_batch(member_of_other)
    consumer.process_batch(member)
    assert world.effects() == ["a"]
    assert "seek" in member.story
    consumer.process_batch(member)
    assert (world.effects(), world.metric("progress_lost_races_total")) == (["a"], 1)


def test_while_the_database_is_unreachable_the_member_is_paused_polled_and_resumed(world: World) -> None:
    world.write("a", "bad")
    consumer, member = world.consumer()
    consumer.process_batch(member)
    world.write("b")
    member.story.clear()
    world.database.outages = 3
    for _ in range(4):
        consumer.process_batch(member)
    assert member.story == ["poll", "pause", "poll", "poll", "poll", "seek", "resume"]
    assert len(world.held()) == 1
    consumer.process_batch(member)
    assert (world.effects(), world.progress()) == (["a", "b"], {0: 3})


def test_an_unreachable_database_at_the_assignment_is_retried_with_a_new_member(world: World) -> None:
    world.write("a")
    world.database.outages = 3
    run_until(world, lambda: bool(world.broker.hints))
    assert world.effects() == ["a"]
    assert [member.story[-1] for member in world.broker.members] == ["close"] * len(world.broker.members)
    assert len(world.broker.members) == 4


def test_run_consumes_until_stopped_and_leaves_the_group(world: World) -> None:
    world.write("a", "b")
    run_until(world, lambda: world.broker.hints.get(P0) == 2)
    assert world.effects() == ["a", "b"]
    assert world.broker.members[0].story[-1] == "close"


def test_an_end_behind_the_last_record_is_read_to_its_end_and_ends_the_replay(world: World) -> None:
    world.write("a")
    world.broker.leave_gap(P0)
    world.broker.leave_gap(P1)
    consumer, member = world.consumer()
    member.poll(0, 0)
    assert consumer.replaying
    consumer.process_batch(member)
    assert not consumer.replaying
    assert consumer.has_read({P0: 2, P1: 1})
    assert (world.progress(), world.broker.hints) == ({0: 1}, {P0: 2, P1: 1})


def test_offsets_that_were_reset_are_committed_again_at_the_assignment(world: World) -> None:
    world.write("a", "b")
    world.write("c", to=P1)
    run_until(world, lambda: world.broker.hints == {P0: 2, P1: 1})
    world.broker.hints.update({P0: 0, P1: 0})
    run_until(world, lambda: world.broker.hints == {P0: 2, P1: 1})
    assert sorted(world.effects()) == ["a", "b", "c"]


def test_offsets_are_committed_to_kafka_only_when_they_have_moved(world: World) -> None:
    world.write("a")
    consumer, member = world.consumer()
    consumer.process_batch(member)
    world.broker.hints.clear()
    consumer.process_batch(member)
    assert world.broker.hints == {}
    world.write("b")
    consumer.process_batch(member)
    assert world.broker.hints == {}, "within a second of the commit before"
    consumer.process_batch(member)
    assert world.broker.hints == {P0: 2}, "nothing more arrives"


@pytest.mark.parametrize(("ahead_s", "number"), [(61, 1), (59, 0), (-364 * 86_400, 0), (-366 * 86_400, 1)])
def test_records_of_an_implausible_time_are_counted(world: World, ahead_s: float, number: int) -> None:
    consumer, member = world.consumer()
    consumer.process_batch(member)
    world.write("a")
    world.clock.move(-ahead_s)
    consumer.process_batch(member)
    assert world.metric("implausible_times_total", messaging_destination_name=TOPIC) == number


def test_replayed_records_are_not_in_the_latency(world: World) -> None:
    world.write("old")
    consumer, member = world.consumer()
    member.poll(0, 0)
    assert consumer.replaying
    world.write("new")
    consumer.process_batch(member)
    assert not consumer.replaying
    assert (world.effects(), world.applied()) == (["old", "new"], 1)


def test_the_latency_includes_records_published_while_the_consumer_was_stopped(world: World) -> None:
    world.write("old")
    run_until(world, lambda: world.broker.hints.get(P0) == 1)
    world.write("missed")
    world.clock.move(30)
    run_until(world, lambda: world.broker.hints.get(P0) == 2)
    total = "event_end_to_end_latency_seconds_sum"
    assert world.metric(total, type="user.sang") == 30


def test_a_partition_revoked_during_its_replay_ends_the_replay(world: World) -> None:
    world.write("a", to=P1)
    consumer, member = world.consumer()
    member.poll(0, 0)
    member.revoke([P1])
    world.write("b")
    consumer.process_batch(member)
    assert not consumer.replaying


def test_a_reassigned_partition_continues_from_the_other_members_offset(world: World) -> None:
    world.write("a", "b")
    consumer, member = world.consumer(batch=1)
    consumer.process_batch(member)
    member.revoke([P0])
    other, member_of_other = world.consumer()
    other.process_batch(member_of_other)
    world.write("c")
    member.assign([P0])
    consumer.process_batch(member)
    assert world.effects() == ["a", "b", "c"]
    assert world.metric("progress_lost_races_total") == 0


def test_commit_signals_are_set_after_a_commit_only(world: World) -> None:
    wake = threading.Event()
    consumer, member = world.consumer(commit_signals=(wake,))
    consumer.process_batch(member)
    assert not wake.is_set()
    world.write("a")
    consumer.process_batch(member)
    assert wake.is_set()


def test_consumed_records_are_counted_by_topic_and_group(world: World) -> None:
    world.write("a", "b")
    consumer, member = world.consumer()
    consumer.process_batch(member)
    labels = {"messaging_system": "kafka", "messaging_destination_name": TOPIC, "messaging_consumer_group_name": GROUP}
    assert world.metric("messaging_client_consumed_messages_total", **labels) == 2


def test_stored_offsets_have_the_topic_id(world: World) -> None:
    world.write("a")
    run_until(world, lambda: bool(world.broker.hints))
    with world.database.read() as connection:
        assert offset_store.read(connection, [P0]) == {P0: Position("id-of-the-topic", 1)}


def test_the_metrics_show_a_paused_consumer_and_its_batch_sizes(world: World) -> None:
    of_group = {"messaging_consumer_group_name": GROUP}
    consumer, member = world.consumer()
    consumer.process_batch(member)
    assert world.metric("consumer_paused", **of_group) == 0
    world.write("a", "b")
    world.database.outages = 2
    consumer.process_batch(member)
    assert world.metric("consumer_paused", **of_group) == 1
    for _ in range(3):
        consumer.process_batch(member)
    assert world.effects() == ["a", "b"]
    assert world.metric("consumer_paused", **of_group) == 0
    assert [world.metric(f"consumer_batch_size_{what}", **of_group) for what in ("count", "sum")] == [1, 2]


def test_a_refused_member_is_reopened_and_the_service_is_not_ready_until_the_next_assignment(world: World) -> None:
    world.broker.refusals = ["no right on the group"] * 2
    seen: list[tuple[str | None, float]] = []

    def look() -> bool:
        paused = world.metric("consumer_paused", messaging_consumer_group_name=GROUP)
        seen.append((world.telemetry.health.missing().get("consumer"), paused))
        return seen[-1] == (None, 0)

    world.write("a")
    run_until(world, look)
    assert [member.story[-1] for member in world.broker.members] == ["close"] * 3
    assert ("no right on the group", 1) in seen


def test_a_consumer_is_not_ready_before_its_first_assignment_and_a_service_that_does_without_it_is(
    world: World,
) -> None:
    for needed in (True, False):
        consumer, member = world.consumer(needed=needed)
        health = world.telemetry.health
        assert (health.missing() if needed else health.absent())["consumer"] == "no partitions assigned yet"
        assert needed or "consumer" not in health.missing()
        consumer.process_batch(member)
        assert "consumer" not in health.missing() | health.absent()


def test_the_reason_why_no_assignment_comes_is_reported(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    consumer, member = world.consumer()
    member.waits_for = "topic numbers.v1 is missing"
    for _ in range(3):
        consumer.process_batch(member)
    assert world.telemetry.health.missing()["consumer"] == "topic numbers.v1 is missing"
    assert capsys.readouterr().out.count("no partitions yet") == 1
    member.waits_for = ""
    consumer.process_batch(member)
    assert "consumer" not in world.telemetry.health.missing()
