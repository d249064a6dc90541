"""The partition reader, and the offsets that the admin client reads, on a real broker."""

import contextlib
import random
import time

import pytest

from services.chassis.kafka.admin import KafkaAdmin
from services.chassis.kafka.config import FETCHED_BYTES_OF_PARTITION
from services.chassis.kafka.group_consumer import GroupConsumer, PartitionReadError
from services.chassis.kafka.partition_reader import PartitionReader, TopicUnavailableError, read_topic
from services.chassis.kafka.producer import Producer
from services.chassis.messages.clock import utc_now
from services.chassis.messages.record import Outgoing, TopicPartition
from services.console.lag import Ages
from services.contracts.envelope import LARGEST_RECORD
from services.workbench.local.free_ports import free_ports
from services.workbench.polling import until
from tests.support.broker import a_group, create, read, settings, truncate, write, write_dated

PATIENCE_S = 30.0


def read_to_the_end(broker: str, start: TopicPartition, offset: int) -> list[bytes | None]:
    with contextlib.closing(PartitionReader(settings(broker), "test", {start: offset})) as reader:
        return [record.value for batch in reader.read_to_end(PATIENCE_S) for record in batch]


def test_a_reader_reads_from_its_start_offset_to_the_end(broker: str) -> None:
    place = TopicPartition(create(broker), 0)
    assert read_to_the_end(broker, place, 0) == []
    write(broker, place.topic, b"0", b"1", b"2")
    assert read_to_the_end(broker, place, 1) == [b"1", b"2"]


def test_a_truncated_offset_raises_an_error_that_names_the_topic(broker: str) -> None:
    place = TopicPartition(create(broker), 0)
    write(broker, place.topic, b"0", b"1", b"2")
    truncate(broker, place.topic, 2)
    assert KafkaAdmin(settings(broker), "test").begins([place]) == {place: 2}
    with (
        contextlib.closing(PartitionReader(settings(broker), "test", {place: 0})) as reader,
        pytest.raises(PartitionReadError, match=place.topic),
    ):
        reader.poll(10, PATIENCE_S)
    with pytest.raises(TopicUnavailableError, match=place.topic):  # to be retried
        read_to_the_end(broker, place, 0)


def test_a_record_of_the_largest_size_is_read_although_fetches_are_smaller(broker: str) -> None:
    place = TopicPartition(create(broker), 0)
    largest = random.Random(1).randbytes(LARGEST_RECORD - 1024)  # incompressible
    assert len(largest) > FETCHED_BYTES_OF_PARTITION
    write(broker, place.topic, b"0", largest, b"2")
    assert read_to_the_end(broker, place, 0) == [b"0", largest, b"2"]


def test_committed_offsets_of_a_group_are_readable_after_its_members_left(broker: str) -> None:
    topics, group, place = KafkaAdmin(settings(broker), "test"), a_group(), TopicPartition(create(broker), 0)
    assert topics.committed(group, [place]) == {}
    write(broker, place.topic, b"0", b"1", b"2")
    member = GroupConsumer(settings(broker), group, [place.topic], lambda _: {})
    read(member, 1)
    member.commit({place: 2})
    member.close()
    assert topics.committed(group, [place]) == {place: 2}


def test_a_time_has_an_offset_in_each_partition(broker: str) -> None:
    topics, place = KafkaAdmin(settings(broker), "test"), TopicPartition(create(broker), 0)
    write_dated(broker, 1000, *[Outgoing(place.topic, b"key", value, []) for value in (b"0", b"1")])
    assert topics.since([place], 1000) == {place: 0}
    assert topics.since([place], 1001) == {place: 2}


def test_the_age_of_an_unread_record_is_that_of_its_timestamp(broker: str) -> None:
    place = TopicPartition(create(broker), 0)
    for moment in (1000, round(time.time() + 3000) * 1000):  # brokers refuse what is an hour ahead
        write_dated(broker, moment, Outgoing(place.topic, b"key", b"0", []))

    def age_at(offset: int) -> int | None:
        return Ages(settings(broker), utc_now)({place: offset}).get(place)

    # A look is bounded in time: on a busy machine it may see nothing yet.
    first = until("the first record's age", lambda: age_at(0), lambda age: age is not None, PATIENCE_S)
    assert first == pytest.approx(time.time() - 1, abs=60)
    ahead = until("the age of a record whose writer's clock is ahead", lambda: age_at(1), lambda age: age is not None)
    assert ahead == 0
    assert age_at(2) is None


def test_a_topic_is_read_once_and_in_the_order_of_each_partition(broker: str) -> None:
    topic = create(broker, partitions=6)
    with contextlib.closing(Producer(settings(broker), "test")) as producer:
        producer.publish([Outgoing(topic, b"%d" % (n % 50), b"%d" % n, [("n", b"1")]) for n in range(2500)])
    read = [record for batch in read_topic(settings(broker), topic, 6) for record in batch]
    assert sorted(int(record.value or b"") for record in read) == list(range(2500))
    for partition in range(6):
        offsets = [record.offset for record in read if record.partition == partition]
        assert offsets == list(range(len(offsets)))


def test_an_empty_topic_is_read_to_its_end(broker: str) -> None:
    topic = create(broker, partitions=6)
    assert [record for batch in read_topic(settings(broker), topic, 6) for record in batch] == []


def test_a_missing_topic_raises_an_error_that_is_retried(broker: str) -> None:
    with pytest.raises(TopicUnavailableError, match=r"no\.such\.topic: nothing received for 0\.5 s"):
        list(read_topic(settings(broker), "no.such.topic", 1, silence_s=0.5))


def test_an_unreachable_broker_ends_reading_with_the_clients_reason() -> None:
    with pytest.raises(TopicUnavailableError, match=r"any: nothing received for 1 s; .*Connection refused"):
        list(read_topic(settings(f"127.0.0.1:{free_ports(1)[0]}"), "any", 1, silence_s=1))
