"""Rights and limits of a broker: each refusal ends the client with the right to grant or the setting to change."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from services.chassis.kafka.admin import BrokerRefusedError, BrokerUnavailableError, KafkaAdmin
from services.chassis.kafka.client_metrics import CONSUMER, ClientMetrics
from services.chassis.kafka.group_consumer import GroupConsumer
from services.chassis.kafka.latest_published import LatestPublished
from services.chassis.kafka.partition_reader import PartitionReader, read_topic
from services.chassis.kafka.producer import Producer
from services.chassis.kafka.settings import KafkaSettings
from services.chassis.messages.publisher import PublishError
from services.chassis.messages.record import Outgoing, TopicPartition
from services.chassis.settings.environment import load
from services.chassis.telemetry.metrics import Metrics
from services.workbench.local.broker import broker as local_broker
from services.workbench.local.free_ports import free_ports
from services.workbench.local.system import System
from services.workbench.polling import until
from tests.support import broker as helper
from tests.support.broker import JARS, READY_S, a_group, a_topic, ensure, read, write
from tests.support.certificates import USER, Files
from tests.support.secure_broker import SecureBroker

PROTOCOLS = ("consumer", "classic")
PATIENCE_S = 30.0


class World:
    """The broker with an authorizer, two topics, and a user with every right that is not taken."""

    def __init__(self, broker: SecureBroker, files: Files) -> None:
        self.broker = broker
        self.plain = broker.address("plaintext")
        self._variables = broker.settings("right", files) | {"APP_KAFKA_MESSAGE_TIMEOUT": "2s"}
        self.topics = [self.create(), self.create()]
        self.group = a_group()
        self.metrics = Metrics("test", "0")
        self.open = ExitStack()

    def create(self) -> str:
        return helper.create(self.plain)

    def settings(self, protocol: str = "consumer") -> KafkaSettings:
        return load(KafkaSettings, self._variables | {"APP_KAFKA_GROUP_PROTOCOL": protocol})

    def join(self, protocol: str = "consumer", topics: list[str] | None = None) -> GroupConsumer:
        metrics = ClientMetrics(CONSUMER, self.metrics)
        settings = self.settings(protocol)
        return self.open.enter_context(
            closing(GroupConsumer(settings, self.group, topics or self.topics, _start, metrics))
        )

    def errors(self, name: str) -> float:
        labels = {"client": CONSUMER, "error": name}
        return self.metrics.registry.get_sample_value("kafka_client_error_events_total", labels) or 0.0


def _start(_: object) -> dict[TopicPartition, int]:
    return {}


@pytest.fixture
def world(secure_broker: SecureBroker, files: Files) -> Iterator[World]:
    world = World(secure_broker, files)
    with world.open:
        yield world


def refusal(call: Callable[[], Any]) -> str:
    """Call until the refusal, and return its text."""

    def refused() -> str:
        try:
            call()
        except BrokerRefusedError as error:
            return str(error)
        return ""

    return until("a refusal", refused, bool, PATIENCE_S)


def await_joined(*members: GroupConsumer) -> None:
    def joined() -> bool:
        for member in members:
            member.poll(1, 0.05)
        return all(member.has_joined() for member in members)

    until("all have joined", joined, seconds=PATIENCE_S)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_topic_without_read_ends_the_member_with_its_name_and_a_new_one_reads_once_it_is_granted(
    world: World, protocol: str
) -> None:
    denied, other = world.topics
    with world.broker.only("DESCRIBE", "TOPIC", denied):
        member = world.join(protocol)
        text = refusal(lambda: member.poll(10, 0.1))
    assert f"user {USER} needs the right READ on topic {denied}: `console rights` grants it" in text, text
    assert f"--add --allow-principal 'User:{USER}' --operation Read --topic {denied}`" in text, text
    assert other not in text
    assert world.errors("TOPIC_AUTHORIZATION_FAILED") == 1
    member.close()
    write(world.plain, denied, b"a")
    assert [record.value for record in read(world.join(protocol), 1)] == [b"a"]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_group_without_read_ends_the_member_with_its_name(world: World, protocol: str) -> None:
    with world.broker.only("DESCRIBE", "GROUP", world.group):
        member = world.join(protocol)
        assert f"user {USER} needs the right READ on group {world.group}: " in refusal(lambda: member.poll(10, 0.1))


@pytest.mark.parametrize("kind", ["TOPIC", "GROUP"])
def test_a_commit_that_is_refused_after_the_last_poll_does_not_prevent_the_close(world: World, kind: str) -> None:
    member = world.join()
    write(world.plain, world.topics[0], b"a")
    read(member, 1)
    with world.broker.only("DESCRIBE", kind, world.topics[0] if kind == "TOPIC" else world.group):
        member.commit({TopicPartition(world.topics[0], 0): 1})
        member.close()


@pytest.mark.long
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_group_that_is_denied_to_a_live_member_ends_it_and_a_new_one_joins(world: World, protocol: str) -> None:
    """With `consumer` the event's code is `_FATAL`; with `classic` librdkafka shows it in a commit's answer alone."""
    member = world.join(protocol)
    await_joined(member)
    place = TopicPartition(world.topics[0], 0)

    def poll() -> None:
        if protocol == "classic":
            member.commit({place: 0})
        member.poll(10, 0.1)

    with world.broker.only("DESCRIBE", "GROUP", world.group):
        assert f"user {USER} needs the right READ on group {world.group}" in refusal(poll)
        member.close()
    await_joined(world.join(protocol))


def test_a_member_beyond_the_groups_size_is_refused_with_the_setting_until_there_is_room(world: World) -> None:
    members = [world.join() for _ in range(2)]
    await_joined(*members)
    members.append(world.join())
    assert "raise the broker's group.consumer.max.size" in refusal(lambda: [one.poll(1, 0.05) for one in members])
    assert world.errors("_FATAL") == 1
    for member in members:
        member.close()
    await_joined(world.join())


@pytest.mark.long
def test_a_member_without_partitions_has_joined_if_others_have_all(world: World) -> None:
    """The client of the protocol `consumer` reports an empty assignment by no event."""
    members = [world.join(topics=world.topics[:1]) for _ in range(2)]
    await_joined(*members)
    assert sorted(len(member.assigned) for member in members) == [0, 1]


def test_a_member_that_waits_for_a_topic_has_not_joined_and_names_it(world: World) -> None:
    missing = a_topic()
    member = world.join(topics=[world.topics[0], missing.name])

    def reason() -> str:
        member.poll(1, 0.1)
        try:
            assert not member.has_joined()
        except BrokerUnavailableError as error:
            return str(error)
        return ""

    assert f"topic {missing.name} (if it is missing: `console topics` creates it)" in until(
        "the reason", reason, bool, PATIENCE_S
    )
    ensure(world.plain, [missing])
    await_joined(member)


def test_a_reader_of_a_topic_without_read_is_refused_with_its_name(world: World) -> None:
    denied = world.topics[0]
    write(world.plain, denied, b"a")
    expected = f"user {USER} needs the right READ on topic {denied}: "
    with (
        world.broker.only("DESCRIBE", "TOPIC", denied),
        closing(PartitionReader(world.settings(), "test", {TopicPartition(denied, 0): 0})) as reader,
    ):
        assert expected in refusal(lambda: reader.poll(10, 0.1))
        assert expected in refusal(lambda: list(read_topic(world.settings(), denied, 1)))


def test_a_reader_needs_no_right_on_a_group(world: World) -> None:
    topic = world.topics[0]
    write(world.plain, topic, b"a")
    with world.broker.only("DESCRIBE_CONFIGS", "GROUP", f"reader-{topic}"):
        assert [record.value for batch in read_topic(world.settings(), topic, 1) for record in batch] == [b"a"]


def test_a_right_that_is_granted_late_is_seen_by_the_same_client_and_its_absence_is_named(world: World) -> None:
    topic = world.topics[0]
    latest = LatestPublished(world.settings(), topic, 1, "source")
    with world.broker.only("DESCRIBE_CONFIGS", "TOPIC", topic):
        assert f"{topic} (if it is missing: `console topics` creates it): TOPIC_AUTHORIZATION_FAILED" in refusal(latest)
    until("the right", lambda: latest() == [], passing=BrokerUnavailableError, seconds=5.0)


def test_a_topic_that_may_not_be_described_is_named_instead_of_being_taken_for_right(world: World) -> None:
    topic = a_topic()
    ensure(world.plain, [topic])
    admin = KafkaAdmin(world.settings(), "test")
    with world.broker.only("CREATE", "TOPIC", topic.name):
        expected = f"user {USER} needs the right DESCRIBE on topic {topic.name}: "
        assert expected in refusal(lambda: admin.ensure([topic]))
    assert admin.ensure([topic]) == []


def test_a_topic_that_is_created_late_is_seen_by_the_same_client_and_its_absence_is_named(world: World) -> None:
    topic = a_topic()
    latest = LatestPublished(world.settings(), topic.name, 1, "source")
    with pytest.raises(BrokerUnavailableError, match=rf"{topic.name} .*console topics.*UNKNOWN_TOPIC_OR_PART"):
        latest()
    ensure(world.plain, [topic])
    until("the topic", lambda: latest() == [], passing=BrokerUnavailableError, seconds=5.0)


def test_a_producer_names_the_topic_and_the_right_or_that_the_topic_is_missing(world: World) -> None:
    denied, missing = world.topics[0], a_topic().name
    with world.broker.only("DESCRIBE", "TOPIC", denied):
        expected = f"1 with TOPIC_AUTHORIZATION_FAILED: user {USER} needs the right WRITE on topic {denied}: "
        assert expected in publish_error(world.settings(), denied)
    expected = f"1 with UNKNOWN_TOPIC_OR_PART on topic {missing}: `console topics` creates it"
    assert expected in publish_error(world.settings(), missing)


def publish_error(settings: KafkaSettings, topic: str) -> str:
    with closing(Producer(settings, "test")) as producer, pytest.raises(PublishError) as caught:
        producer.publish([Outgoing(topic, b"key", b"value", [])])
    return str(caught.value)


@pytest.mark.long
def test_a_protocol_that_the_broker_does_not_offer_is_named_with_the_setting(tmp_path: Path) -> None:
    port, controller = free_ports(2)
    more = {"group.coordinator.rebalance.protocols": "classic"}
    with System([local_broker(port, controller, JARS, tmp_path, more)]) as system:
        system.start("broker")
        system.wait_ready(READY_S, "broker")
        settings = helper.settings(f"127.0.0.1:{port}", kafka_request_timeout=timedelta(seconds=2))
        topic = helper.create(settings.kafka_bootstrap_servers)
        with closing(GroupConsumer(settings, "group", [topic], _start)) as member:
            text = refusal(lambda: member.poll(1, 0.1))
    assert "does not offer the group protocol consumer: write APP_KAFKA_GROUP_PROTOCOL=classic" in text
