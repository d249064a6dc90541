"""Topics on the real broker for single tests, and broker operations beyond the product's code."""

from collections.abc import Mapping
from datetime import timedelta
from itertools import count
from typing import Any

import msgspec
from confluent_kafka import TopicPartition as ClientPartition
from confluent_kafka.admin import AdminClient, ConfigResource  # type: ignore[attr-defined]  # re-exported, unmarked

from services.chassis.kafka.admin import KafkaAdmin
from services.chassis.kafka.producer import Producer
from services.chassis.kafka.settings import KafkaSettings
from services.chassis.messages.record import Headers, Outgoing
from services.contracts.catalog import Pattern, Rule, Topic

PATIENCE_S = 30.0
_numbers = count(1)


def settings(broker: str, **changed: Any) -> KafkaSettings:
    """Return settings for a broker."""
    return KafkaSettings(kafka_bootstrap_servers=broker, **changed)


def a_topic(**changed: Any) -> Topic:
    """Describe a topic with a unique name."""
    usual = Topic(
        name=f"test.{next(_numbers)}.v1",
        pattern=Pattern.NOTIFICATION,
        rule=Rule.ONCE,
        publisher="test",
        readers=(),
        partitions=1,
    )
    return msgspec.structs.replace(usual, **changed)


def a_group() -> str:
    """Return a unique group name."""
    return f"group-{next(_numbers)}"


def create(broker: str, **changed: Any) -> str:
    """Create such a topic and return its name."""
    topic = a_topic(**changed)
    assert KafkaAdmin(settings(broker), "test").ensure([topic]) == [topic.name]
    return topic.name


def write(broker: str, topic: str, *values: bytes | None, key: bytes | None = b"key", headers: Headers = []) -> None:  # noqa: B006  # only read
    """Write records with the product's producer; a topic of one partition keeps their order."""
    producer = Producer(settings(broker, kafka_message_timeout=timedelta(seconds=30)), "test")
    producer.publish([Outgoing(topic, key, value, headers, 1_000) for value in values])
    producer.close()


def truncate(broker: str, topic: str, before: int) -> None:
    """Drop the records of partition 0 below an offset, as retention does."""
    admin = AdminClient({"bootstrap.servers": broker})  # kept in a variable: its futures end with it
    for future in admin.delete_records([ClientPartition(topic, 0, before)]).values():
        future.result(PATIENCE_S)


def delete(broker: str, topic: str) -> None:
    """Delete a topic."""
    admin = AdminClient({"bootstrap.servers": broker})
    admin.delete_topics([topic])[topic].result(PATIENCE_S)


def configured(broker: str, topic: str) -> Mapping[str, str]:
    """Return the configuration that the broker has of a topic."""
    admin, resource = AdminClient({"bootstrap.servers": broker}), ConfigResource("topic", topic)
    found = admin.describe_configs([resource])[resource].result(PATIENCE_S)
    return {name: str(entry.value) for name, entry in found.items()}
