"""The producer on a real broker: acknowledged records are written, in order, to the partitions of Java clients."""

import contextlib
import time
from datetime import timedelta

import pytest
from confluent_kafka import Consumer, KafkaError, Message
from confluent_kafka import TopicPartition as ClientPartition

from services.chassis.kafka.group_consumer import to_record
from services.chassis.kafka.producer import PERMANENT, Producer
from services.chassis.messages.publisher import PartitionCountError, PublishError, RecordRefusedError
from services.chassis.messages.record import Outgoing, Record
from services.contracts.envelope import DEAD_LETTER_HEADERS, LARGEST_RECORD
from services.workbench.local.free_ports import free_ports
from tests.support.broker import a_group, configure, create, settings

PATIENCE_S = 30.0
# From Apache Kafka's own UtilsTest.testMurmur2: key and Java's hash.
MURMUR2 = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}


def outgoing(topic: str, value: bytes | None = b"v", key: bytes | None = b"k", **parts: object) -> Outgoing:
    headers = parts.get("headers", [])
    assert isinstance(headers, list)
    return Outgoing(topic, key, value, headers)


def publish(broker: str, *records: Outgoing) -> dict[str, int]:
    producer = Producer(settings(broker), "test")
    try:
        return dict(producer.publish(records))
    finally:
        producer.close()


def read(broker: str, topic: str, number: int, partitions: int = 1) -> list[Record]:
    """Return a number of records from the beginning, read by a plain client."""
    client = Consumer({"bootstrap.servers": broker, "group.id": a_group(), "enable.auto.commit": False})
    client.assign([ClientPartition(topic, partition, 0) for partition in range(partitions)])
    messages: list[Message] = client.consume(number, PATIENCE_S)
    client.close()
    assert len(messages) == number
    return [to_record(message) for message in messages]


def test_records_arrive_whole_and_in_order(broker: str) -> None:
    topic = create(broker)
    values = [b"%d" % number for number in range(2000)]
    assert publish(broker, *[outgoing(topic, value) for value in values]) == {topic: 2000}
    records = read(broker, topic, 2000)
    assert [record.value for record in records] == values
    assert {(record.key, record.timestamp_type) for record in records} == {(b"k", 1)}


def test_a_record_is_dated_when_it_is_written(broker: str) -> None:
    topic, now = create(broker), time.time_ns() // 1_000_000
    assert publish(broker, outgoing(topic)) == {topic: 1}
    [record] = read(broker, topic, 1)
    assert now <= record.timestamp_ms <= time.time_ns() // 1_000_000


def test_null_and_empty_values_stay_different(broker: str) -> None:
    topic = create(broker)
    headers = [("a", None), ("b", b""), ("a", b"\xff\x00"), ("ü", b"1")]
    publish(broker, outgoing(topic, None, None, headers=headers), outgoing(topic, b"", b""))
    null, empty = read(broker, topic, 2)
    assert (null.key, null.value, null.headers) == (None, None, headers)
    assert (empty.key, empty.value, empty.headers) == (b"", b"", [])


def test_keys_have_the_same_partitions_as_with_a_java_client(broker: str) -> None:
    topic = create(broker, partitions=6)
    publish(broker, *[outgoing(topic, key=key) for key in MURMUR2])
    found = {record.key: record.partition for record in read(broker, topic, len(MURMUR2), partitions=6)}
    assert found == {key: (number & 0x7FFFFFFF) % 6 for key, number in MURMUR2.items()}


def test_a_record_in_a_partition_that_its_topic_should_not_have_is_an_error(broker: str) -> None:
    topic = create(broker, partitions=6)
    placed = {(number & 0x7FFFFFFF) % 6: key for key, number in MURMUR2.items()}
    assert publish(broker, outgoing(topic, key=placed[min(placed)])) == {topic: 1}
    with (
        contextlib.closing(Producer(settings(broker), "test", partitions={topic: max(placed)})) as producer,
        pytest.raises(PartitionCountError, match=topic),
    ):
        producer.publish([outgoing(topic, key=placed[max(placed)])])


def test_the_largest_record_and_its_dead_letter_fit(broker: str) -> None:
    headers = [("dlq_detail", b"x" * (DEAD_LETTER_HEADERS - 1000))]
    # Incompressible, and with room for the batch's own framing, which the broker counts too.
    value = bytes(range(256)) * 4096
    largest = value[: LARGEST_RECORD - 200]
    assert publish(broker, outgoing("notification.dlq.v1", largest, headers=headers)) == {"notification.dlq.v1": 1}


def test_a_record_that_is_too_large_is_refused_with_the_reason(broker: str) -> None:
    topic = create(broker, max_record_bytes=1000)
    random = b"".join(bytes([(number * number * 7 + number // 13) % 251]) for number in range(20_000))
    with pytest.raises(RecordRefusedError, match="MSG_SIZE_TOO_LARGE"):
        publish(broker, outgoing(topic, random))
    with pytest.raises(RecordRefusedError, match="MSG_SIZE_TOO_LARGE"):
        publish(broker, outgoing(topic, b"x" * 2 * LARGEST_RECORD))


def test_a_record_without_a_key_on_a_compacted_topic_is_refused_for_good(broker: str) -> None:
    with pytest.raises(RecordRefusedError, match="INVALID_RECORD"):
        publish(broker, outgoing("user.state.v1"), outgoing("user.state.v1", key=None))


def test_a_timestamp_that_the_broker_refuses_is_a_wrong_clock_and_is_retried(broker: str) -> None:
    topic = create(broker)
    configure(broker, topic, "message.timestamp.before.max.ms", "0")
    with pytest.raises(PublishError, match=r"INVALID_TIMESTAMP.*correct this host's clock or the broker's"):
        publish(broker, outgoing(topic))


def test_every_permanent_refusal_is_an_error_that_the_client_knows() -> None:
    names = {getattr(KafkaError, name) for name in dir(KafkaError) if name.lstrip("_").isupper()}
    known = {KafkaError(code).name() for code in names if isinstance(code, int)}
    assert set(PERMANENT) <= known


def test_an_unknown_topic_fails_and_is_not_created(broker: str) -> None:
    producer = Producer(settings(broker, kafka_message_timeout=timedelta(seconds=1)), "test")
    with pytest.raises(PublishError, match="failed: "):
        producer.publish([outgoing("nowhere.v1")])
    producer.close()


def test_an_unreachable_broker_fails_the_batch_within_the_message_timeout() -> None:
    unreachable = settings(f"127.0.0.1:{free_ports(1)[0]}", kafka_message_timeout=timedelta(milliseconds=300))
    producer = Producer(unreachable, "test")
    with pytest.raises(PublishError, match=r"_MSG_TIMED_OUT"):
        producer.publish([outgoing("any.v1") for _ in range(10)])
    producer.close()


def test_closing_drops_queued_records() -> None:
    unreachable = settings(f"127.0.0.1:{free_ports(1)[0]}", kafka_message_timeout=timedelta(seconds=30))
    producer = Producer(unreachable, "test")
    producer._send(outgoing("any.v1"))  # noqa: SLF001  # publish would wait
    producer.close()
    assert producer._unreported == 0  # noqa: SLF001
    assert producer._failures == {("_PURGE_QUEUE", "any.v1"): 1}  # noqa: SLF001
