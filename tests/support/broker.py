"""Real brokers for tests, topics with unique names, and administration that the services do not need."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any, Protocol

import msgspec
from confluent_kafka import KafkaError, Message
from confluent_kafka import Producer as Client
from confluent_kafka import TopicPartition as ClientPartition
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource  # type: ignore[attr-defined]  # re-exported, unmarked

from services.chassis.kafka.admin import BrokerUnavailableError, KafkaAdmin
from services.chassis.kafka.producer import Producer
from services.chassis.kafka.settings import KafkaSettings
from services.chassis.messages.record import Headers, Outgoing, Record
from services.contracts.catalog import Pattern, Rule, Topic
from services.workbench.local.broker import broker as local_broker
from services.workbench.local.free_ports import free_ports
from services.workbench.local.system import System
from services.workbench.polling import until

JARS = Path(__file__).parents[2] / ".eventline" / "kafka"
READY_S = 60.0
PATIENCE_S = 30.0
KEEPING = {"log.initial.task.delay.ms": "86400000"}  # retention would delete records dated 1970 after half a minute
_numbers = count(1)


class Reader(Protocol):
    """A consumer of any kind."""

    def poll(self, limit: int, seconds: float, /) -> list[Record]:
        """Return the records that are there, at most `limit`."""


@contextmanager
def running(
    folder: Path,
    topics: Sequence[Topic],
    more: Mapping[str, str] = {},  # only read
) -> Iterator[tuple[str, System]]:
    """Start a broker with its state in a folder; yield its address and the system whose part `broker` it is.

    `more` is further configuration of the broker.
    """
    port, controller = free_ports(2)
    with System([local_broker(port, controller, jars=JARS, state=folder, more={**KEEPING, **more})]) as system:
        system.start("broker")
        system.wait_ready(READY_S, "broker")
        address = f"127.0.0.1:{port}"
        ensure(address, topics)
        yield address, system


def ensure(broker: str, topics: Sequence[Topic]) -> list[str]:
    """Create the topics that are missing, wait until the broker has their metadata, and return the created names.

    The controller acknowledges a topic before the broker can lead its partitions: a producer would get error 3.
    """
    admin = KafkaAdmin(settings(broker), "test")
    created = admin.ensure(topics)
    names = [topic.name for topic in topics]
    until("metadata of the topics", lambda: admin.ids(names) or names == [], passing=BrokerUnavailableError)
    return created


def settings(broker: str, **changed: Any) -> KafkaSettings:
    """Return settings of a client of a broker."""
    return KafkaSettings(kafka_bootstrap_servers=broker, **changed)


def a_topic(**changed: Any) -> Topic:
    """Return a topic with a name that no other test uses."""
    usual = Topic(
        name=f"test.{next(_numbers)}.v1",
        pattern=Pattern.NOTIFICATION,
        rule=Rule.ONCE,
        publishers=("test",),
        partitions=1,
    )
    return msgspec.structs.replace(usual, **changed)


def a_group() -> str:
    """Return a group name that no other test uses."""
    return f"group-{next(_numbers)}"


def create(broker: str, **changed: Any) -> str:
    """Create a topic with a unique name and return the name."""
    topic = a_topic(**changed)
    assert ensure(broker, [topic]) == [topic.name]
    return topic.name


def write(broker: str, topic: str, *values: bytes | None, key: bytes | None = b"key", headers: Headers = []) -> None:  # noqa: B006  # only read
    """Write records with the product's producer; a topic of one partition keeps their order."""
    producer = Producer(settings(broker, kafka_message_timeout=timedelta(seconds=30)), "test")
    producer.publish([Outgoing(topic, key, value, headers) for value in values])
    producer.close()


def write_dated(broker: str, timestamp_ms: int, *records: Outgoing) -> None:
    """Write records with a timestamp of their own, as other publishers may."""
    client = Client({"bootstrap.servers": broker, "partitioner": "murmur2_random", "acks": "all"})
    refused: list[str] = []

    def report(error: KafkaError | None, _: Message) -> None:
        refused.extend([] if error is None else [error.str()])

    for sent in records:
        client.produce(
            sent.topic,
            sent.value,
            sent.key,
            timestamp=timestamp_ms,
            headers=sent.headers,  # type: ignore[arg-type]  # the stub leaves null values out
            on_delivery=report,
        )
    assert client.flush(PATIENCE_S) == 0
    assert refused == []


def transact(broker: str, topic: str, *values: bytes) -> None:
    """Write records in a transaction, as other publishers may: its end takes an offset of its own."""
    with transaction(broker, topic, *values):
        pass


@contextmanager
def transaction(broker: str, topic: str, *values: bytes) -> Iterator[None]:
    """Write records in a transaction that is open within the context."""
    client = Client({"bootstrap.servers": broker, "transactional.id": f"transaction-{next(_numbers)}"})
    client.init_transactions(PATIENCE_S)
    client.begin_transaction()
    for value in values:
        client.produce(topic, value, b"key", 0)
    assert client.flush(PATIENCE_S) == 0
    yield
    client.commit_transaction(PATIENCE_S)


def read(reader: Reader, number: int) -> list[Record]:
    """Poll a consumer until it has returned so many records."""
    records: list[Record] = []

    def poll() -> list[Record]:
        records.extend(reader.poll(100, 0.1))
        return records

    return until(f"{number} records", poll, lambda found: len(found) >= number, PATIENCE_S)


def truncate(broker: str, topic: str, before: int) -> None:
    """Drop the records of partition 0 below an offset, as retention does."""
    admin = AdminClient({"bootstrap.servers": broker})  # in a variable: its futures end with it
    for future in admin.delete_records([ClientPartition(topic, 0, before)]).values():
        future.result(PATIENCE_S)


def delete(broker: str, topic: str) -> None:
    """Delete a topic."""
    admin = AdminClient({"bootstrap.servers": broker})
    admin.delete_topics([topic])[topic].result(PATIENCE_S)


def configure(broker: str, topic: str, name: str, value: str) -> None:
    """Set one entry of a topic's configuration."""
    entry = ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
    admin, resource = (
        AdminClient({"bootstrap.servers": broker}),
        ConfigResource("topic", topic, incremental_configs=[entry]),
    )
    admin.incremental_alter_configs([resource])[resource].result(PATIENCE_S)


def configured(broker: str, topic: str) -> Mapping[str, str]:
    """Return a topic's configuration on the broker."""
    admin, resource = AdminClient({"bootstrap.servers": broker}), ConfigResource("topic", topic)
    found = admin.describe_configs([resource])[resource].result(PATIENCE_S)
    return {name: str(entry.value) for name, entry in found.items()}
