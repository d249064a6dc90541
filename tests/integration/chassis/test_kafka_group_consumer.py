"""Group members: one suite for the fake and the real one, then cases for the real one only."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

import pytest

from services.chassis.consumer.subscription import GroupMember, StartOffsets
from services.chassis.kafka import config
from services.chassis.kafka.group_consumer import GroupConsumer, PartitionReadError
from services.chassis.messages.record import Record, TopicPartition
from services.workbench.polling import until
from tests.support import broker as helper
from tests.support.broker import a_group, create, read, settings
from tests.support.fakes import FakeBroker
from tests.support.raw_producer import produce

PATIENCE_S = 40.0
TOPIC_ID = "any"


class World(Protocol):
    """A broker with a topic of one partition."""

    place: TopicPartition

    def write(self, *values: bytes | None) -> None: ...
    def transact(self, *values: bytes) -> None: ...
    def truncate(self, before: int) -> None: ...
    def open(self, starts: StartOffsets) -> GroupMember: ...


class FakeWorld:
    """A broker in memory."""

    def __init__(self) -> None:
        self.broker = FakeBroker()
        self.place = TopicPartition("t", 0)
        self.broker.create("t", TOPIC_ID)

    def write(self, *values: bytes | None) -> None:
        for value in values:
            self.broker.write(self.place, value, b"key", [])

    def transact(self, *values: bytes) -> None:
        self.write(*values)
        self.broker.leave_gap(self.place)

    def truncate(self, before: int) -> None:
        self.broker.truncate(self.place, before)

    def open(self, starts: StartOffsets) -> GroupMember:
        return self.broker.join_group("g", ["t"], starts)


class KafkaWorld:
    """A real broker with one group protocol."""

    def __init__(self, broker: str, protocol: str) -> None:
        self.broker = broker
        self.place = TopicPartition(create(broker), 0)
        self.settings = settings(broker, kafka_group_protocol=protocol)
        self.group = a_group()

    def write(self, *values: bytes | None) -> None:
        helper.write(self.broker, self.place.topic, *values)

    def transact(self, *values: bytes) -> None:
        helper.transact(self.broker, self.place.topic, *values)

    def truncate(self, before: int) -> None:
        helper.truncate(self.broker, self.place.topic, before)

    def open(self, starts: StartOffsets) -> GroupMember:
        return GroupConsumer(self.settings, self.group, [self.place.topic], starts)


@pytest.fixture(params=["fake", "consumer", "classic"])
def world(request: pytest.FixtureRequest) -> World:
    return FakeWorld() if request.param == "fake" else KafkaWorld(request.getfixturevalue("broker"), request.param)


@pytest.fixture
def opened(world: World) -> Iterator[Callable[[StartOffsets], GroupMember]]:
    """Open members that are closed at the end."""
    members: list[GroupMember] = []

    def join_group(starts: StartOffsets) -> GroupMember:
        members.append(world.open(starts))
        return members[-1]

    yield join_group
    for member in members:
        member.close()


def from_the_beginning(_: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
    return {}


def await_values(member: GroupMember, number: int) -> list[bytes | None]:
    """Poll until a number of records have arrived."""
    return [record.value for record in read(member, number)]


def await_assignment(member: GroupMember, number: int = 1) -> None:
    def assigned() -> object:
        return len(member.assigned) == number or member.poll(1, 0.1)

    until(f"{number} assigned partitions", assigned, lambda seen: seen is True, PATIENCE_S)


def test_without_a_start_offset_reading_starts_at_the_beginning(
    world: World, opened: Callable[[StartOffsets], GroupMember]
) -> None:
    world.write(b"a", b"b")
    assert await_values(opened(from_the_beginning), 2) == [b"a", b"b"]


def test_reading_starts_at_the_start_offset_which_is_requested_once(
    world: World, opened: Callable[[StartOffsets], GroupMember]
) -> None:
    requested: list[TopicPartition] = []

    def starts(partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        requested.extend(partitions)
        return {world.place: 2}

    world.write(b"a", b"b", b"c", b"d")
    member = opened(starts)
    assert await_values(member, 2) == [b"c", b"d"]
    assert requested == [world.place]
    assert member.assigned == {world.place}


def test_the_end_is_reported_once_and_behind_the_marker_of_a_transaction(
    world: World, opened: Callable[[StartOffsets], GroupMember]
) -> None:
    world.transact(b"a", b"b")
    member = opened(from_the_beginning)

    def await_end(end: int) -> None:
        def look() -> Mapping[TopicPartition, int]:
            member.poll(10, 0.1)
            return member.take_ends()

        until(f"the end {end}", look, {world.place: end}.__eq__, PATIENCE_S)

    await_end(3)
    assert (member.poll(10, 0.1), member.take_ends()) == ([], {})
    world.write(b"c")
    await_end(4)
    member.seek({world.place: 3})
    assert await_values(member, 1) == [b"c"]
    await_end(4)


def test_an_offset_committed_to_kafka_is_not_the_next_members_start(
    world: World, opened: Callable[[StartOffsets], GroupMember]
) -> None:
    world.write(b"a", b"b")
    first = opened(from_the_beginning)
    await_values(first, 2)
    first.commit({world.place: 2})
    first.close()
    assert await_values(opened(from_the_beginning), 2) == [b"a", b"b"]


def test_a_batch_has_the_available_records_up_to_the_limit(
    world: World, opened: Callable[[StartOffsets], GroupMember]
) -> None:
    member = opened(from_the_beginning)
    await_assignment(member)
    world.write(*[b"%d" % number for number in range(10)])
    sizes: list[int] = []

    def poll() -> list[int]:
        sizes.append(len(member.poll(4, 0.1)))
        return sizes

    until("10 records", poll, lambda seen: sum(seen) >= 10, PATIENCE_S)
    assert max(sizes) <= 4


def test_a_seek_goes_to_an_offset_or_to_the_beginning(
    world: World, opened: Callable[[StartOffsets], GroupMember]
) -> None:
    world.write(b"a", b"b", b"c")
    member = opened(from_the_beginning)
    await_values(member, 3)
    member.seek({world.place: 1})
    assert await_values(member, 2) == [b"b", b"c"]
    member.seek({})
    assert await_values(member, 3) == [b"a", b"b", b"c"]


def test_a_seek_right_after_the_assignment_works(world: World, opened: Callable[[StartOffsets], GroupMember]) -> None:
    world.write(b"a", b"b", b"c")
    member = opened(lambda _: {world.place: 3})
    await_assignment(member)
    member.seek({world.place: 1})
    assert await_values(member, 2) == [b"b", b"c"]


def test_a_paused_member_keeps_its_partitions_and_resumes_at_the_offset_of_a_seek(
    world: World, opened: Callable[[StartOffsets], GroupMember]
) -> None:
    world.write(b"a", b"b")
    member = opened(from_the_beginning)
    await_values(member, 2)
    member.pause()
    world.write(b"c")
    assert [member.poll(10, 0.05) for _ in range(10)] == [[]] * 10
    assert member.assigned == {world.place}
    member.seek({world.place: 1})
    assert member.poll(10, 0.05) == []
    member.resume()
    assert await_values(member, 2) == [b"b", b"c"]


@pytest.mark.parametrize("start", [1, 99])
def test_an_offset_out_of_range_raises_an_error_that_names_it(
    world: World, opened: Callable[[StartOffsets], GroupMember], start: int
) -> None:
    world.write(b"a", b"b", b"c")
    world.truncate(before=2)
    with pytest.raises(PartitionReadError, match=rf"^{world.place.topic}\[0\]@"):
        await_values(opened(lambda _: {world.place: start}), 1)


def test_after_a_truncation_reading_starts_at_the_first_offset_left(
    world: World, opened: Callable[[StartOffsets], GroupMember]
) -> None:
    world.write(b"a", b"b", b"c")
    world.truncate(before=2)
    assert await_values(opened(from_the_beginning), 1) == [b"c"]


def test_poll_raises_the_errors_of_start_offsets(opened: Callable[[StartOffsets], GroupMember]) -> None:
    def fail(_: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        raise ConnectionError("no database")

    member = opened(fail)
    with pytest.raises(ConnectionError, match="no database"):
        await_values(member, 1)
    assert member.assigned == frozenset()


@pytest.mark.parametrize("protocol", ["consumer", "classic"])
def test_a_second_member_gets_half_and_each_assignment_requests_start_offsets(broker: str, protocol: str) -> None:
    topic, group = create(broker, partitions=4), a_group()
    configured = settings(broker, kafka_group_protocol=protocol)
    requested: list[int] = []

    def starts(partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        requested.append(len(partitions))
        return {}

    def await_shares(*shares: int) -> None:
        def look() -> list[int]:
            for member in members:
                member.poll(10, 0.05)
            return sorted(len(member.assigned) for member in members)

        until(f"shares {shares}", look, sorted(shares).__eq__, PATIENCE_S)

    members = [GroupConsumer(configured, group, [topic], starts)]
    await_shares(4)
    members.append(GroupConsumer(configured, group, [topic], starts))
    await_shares(2, 2)
    assert not members[0].assigned & members[1].assigned
    members.pop(0).close()
    await_shares(4)
    assert sum(requested) >= 4 + 2 + 2
    members[0].close()


def test_records_have_all_fields_of_the_log(broker: str) -> None:
    topic = create(broker)
    headers = [("a", None), ("a", b"2")]
    helper.write(broker, topic, None, key=None, headers=headers)
    member = GroupConsumer(settings(broker), a_group(), [topic], from_the_beginning)
    records = read(member, 1)
    member.close()
    assert records == [Record(topic, 0, 0, 1, records[0].timestamp_ms, None, None, headers)]


def test_unreadable_headers_are_none_for_any_number_of_records(broker: str) -> None:
    topic = create(broker)
    for _ in range(40):  # an interpreter that has warmed up calls the client in another way
        produce(broker, topic, b"key", b"value", {b"ce_\xff": b"x"})
    member = GroupConsumer(settings(broker), a_group(), [topic], from_the_beginning)
    records = read(member, 40)
    member.close()
    assert {(record.key, record.value, record.headers is None) for record in records} == {(b"key", b"value", True)}


def test_the_configuration_lets_kafka_never_choose_an_offset() -> None:
    client = config.consumer(settings("broker"), "group")
    assert (client["enable.auto.commit"], client["auto.offset.reset"]) == (False, "error")
