"""A reader outside any group, and the offsets that a group has told: on a real broker."""

import contextlib
import random
import time

import pytest

from services.chassis.kafka.admin import KafkaAdmin
from services.chassis.kafka.config import FETCHED_BYTES_OF_PARTITION
from services.chassis.kafka.group_consumer import GroupConsumer, SourceError
from services.chassis.kafka.partition_reader import PartitionReader
from services.chassis.messages.clock import utc_now
from services.chassis.messages.record import TopicPartition
from services.console.lag import Ages
from services.contracts.catalog import LARGEST_RECORD
from tests.support.broker import a_group, create, settings, truncate, write

PATIENCE_S = 30.0


def read_to_the_end(broker: str, start: TopicPartition, offset: int) -> list[bytes | None]:
    values: list[bytes | None] = []
    deadline = time.monotonic() + PATIENCE_S
    with contextlib.closing(PartitionReader(settings(broker), "test", {start: offset})) as tail:
        while not tail.at_end:
            assert time.monotonic() < deadline, values
            values += [record.value for record in tail.poll(10, 0.1)]
    return values


def test_a_tail_reads_from_where_it_is_told_to_the_end(broker: str) -> None:
    place = TopicPartition(create(broker), 0)
    assert read_to_the_end(broker, place, 0) == []
    write(broker, place.topic, b"0", b"1", b"2")
    assert read_to_the_end(broker, place, 1) == [b"1", b"2"]


def test_a_place_that_is_gone_is_an_error_that_names_it(broker: str) -> None:
    place = TopicPartition(create(broker), 0)
    write(broker, place.topic, b"0", b"1", b"2")
    truncate(broker, place.topic, 2)
    assert KafkaAdmin(settings(broker), "test").begins([place]) == {place: 2}
    with pytest.raises(SourceError, match=place.topic):
        read_to_the_end(broker, place, 0)


def test_a_record_of_the_largest_size_is_read_though_fetches_are_smaller(broker: str) -> None:
    place = TopicPartition(create(broker), 0)
    largest = random.Random(1).randbytes(LARGEST_RECORD - 1024)  # which no compression makes smaller
    assert len(largest) > FETCHED_BYTES_OF_PARTITION
    write(broker, place.topic, b"0", largest, b"2")
    assert read_to_the_end(broker, place, 0) == [b"0", largest, b"2"]


def test_what_a_group_told_is_known_when_its_members_are_gone(broker: str) -> None:
    topics, group, place = KafkaAdmin(settings(broker), "test"), a_group(), TopicPartition(create(broker), 0)
    assert topics.committed(group, [place]) == {}
    write(broker, place.topic, b"0", b"1", b"2")
    source = GroupConsumer(settings(broker), group, [place.topic], lambda _: {})
    deadline = time.monotonic() + PATIENCE_S
    while not source.poll(10, 0.1):
        assert time.monotonic() < deadline, "nothing was read"
    source.commit({place: 2})
    source.close()
    assert topics.committed(group, [place]) == {place: 2}


def test_a_time_has_an_offset_in_each_partition(broker: str) -> None:
    topics, place = KafkaAdmin(settings(broker), "test"), TopicPartition(create(broker), 0)
    write(broker, place.topic, b"0", b"1")  # both at 1000 ms
    assert topics.since([place], 1000) == {place: 0}
    assert topics.since([place], 1001) == {place: 2}


def test_the_age_of_an_unread_record_is_that_of_its_timestamp(broker: str) -> None:
    place = TopicPartition(create(broker), 0)
    write(broker, place.topic, b"0", b"1")
    age = Ages(settings(broker), utc_now)({place: 1})[place]
    assert age == pytest.approx(time.time() - 1, abs=60)
    assert Ages(settings(broker), utc_now)({place: 2}) == {}
