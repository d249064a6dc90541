"""The admin client on a real broker: topics created and compared, ids, offsets, members, cluster."""

import re
from contextlib import closing
from datetime import timedelta

import pytest

from services.chassis.kafka.admin import BrokerAnswerError, BrokerUnavailableError, KafkaAdmin, TopicsError
from services.chassis.kafka.group_consumer import GroupConsumer
from services.chassis.kafka.settings import KafkaSettings
from services.chassis.messages.record import TopicPartition
from services.contracts.catalog import DAY_MS, TOPICS, Topic
from services.workbench.local.free_ports import free_ports
from services.workbench.polling import until
from tests.support import broker as helper
from tests.support.broker import a_topic, create, settings, write

PATIENCE_S = 30.0


@pytest.fixture
def topics(broker: str) -> KafkaAdmin:
    return KafkaAdmin(settings(broker), "test")


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_a_topic_is_created_as_the_catalog_describes_it(broker: str, topic: Topic) -> None:
    found = helper.configured(broker, topic.name)
    assert {name: found[name] for name in topic.settings()} == topic.settings()
    assert found["min.insync.replicas"] == "1"


def test_a_second_run_creates_nothing(topics: KafkaAdmin) -> None:
    assert topics.ensure(TOPICS) == []


def test_only_missing_topics_are_created(topics: KafkaAdmin) -> None:
    first, second = a_topic(), a_topic(partitions=3, retention_ms=DAY_MS)
    assert topics.ensure([first]) == [first.name]
    assert topics.ensure([first, second]) == [second.name]


def test_every_topic_with_another_partition_count_is_named_with_both_counts(topics: KafkaAdmin) -> None:
    first, second, fitting = a_topic(partitions=2), a_topic(partitions=3), a_topic()
    topics.ensure([first, second, fitting])
    with pytest.raises(TopicsError) as caught:
        topics.ensure([a_topic(name=first.name, partitions=6), a_topic(name=second.name, partitions=6), fitting])
    lines = str(caught.value).splitlines()
    assert lines[0].startswith(f"topic {first.name} has 2 partitions on the broker, 6 in the catalog")
    assert lines[1].startswith(f"topic {second.name} has 3 partitions on the broker, 6 in the catalog")
    assert len(lines) == 2


def test_a_setting_that_the_broker_refuses_is_an_error_that_names_the_topic(topics: KafkaAdmin) -> None:
    wrong = a_topic(cleanup="shred")
    with pytest.raises(TopicsError, match=rf"topic {re.escape(wrong.name)}: .*shred"):
        topics.ensure([wrong])


def test_ids_are_kafkas_22_url_safe_characters_and_each_topics_own(topics: KafkaAdmin) -> None:
    described = [a_topic() for _ in range(20)]  # among 20 ids of random bytes some have a + or / in plain base64
    names = [topic.name for topic in described]
    topics.ensure(described)
    # The broker answers for a topic a moment after it has acknowledged its creation.
    ids = until("each topic has an id", lambda: topics.ids(names), passing=(BrokerAnswerError,))
    assert sorted(ids) == sorted(names)
    assert len(set(ids.values())) == 20
    for topic_id in ids.values():
        assert re.fullmatch(r"[A-Za-z0-9_-]{22}", topic_id), topic_id
    assert topics.ids(names) == ids
    assert topics.ids([]) == {}


def test_a_recreated_topic_has_another_id(broker: str, topics: KafkaAdmin) -> None:
    name = create(broker)
    before = topics.ids([name])[name]
    helper.delete(broker, name)

    def recreated() -> str:
        topics.ensure([a_topic(name=name)])
        return topics.ids([name])[name]

    # The broker deletes and creates a topic asynchronously.
    seen = until("another id", recreated, lambda found: found != before, PATIENCE_S, BrokerUnavailableError)
    assert re.fullmatch(r"[A-Za-z0-9_-]{22}", seen)


def test_a_missing_topic_raises_a_retriable_error_with_the_remedy(topics: KafkaAdmin) -> None:
    with pytest.raises(BrokerAnswerError, match=r"nowhere\.v1 .*console topics"):
        topics.ids(["nowhere.v1"])


def test_ends_are_the_offsets_of_the_next_records(broker: str, topics: KafkaAdmin) -> None:
    name = create(broker, partitions=2)
    write(broker, name, b"1", b"2", b"3")
    ends = topics.ends([TopicPartition(name, 0), TopicPartition(name, 1)])
    assert sorted(ends.values()) == [0, 3]
    assert topics.ends([]) == {}


def test_an_unreachable_broker_raises_an_error_that_reports_so() -> None:
    unreachable, patience = f"127.0.0.1:{free_ports(1)[0]}", timedelta(seconds=0.2)
    topics = KafkaAdmin(KafkaSettings(kafka_bootstrap_servers=unreachable, kafka_request_timeout=patience), "test")
    partition = TopicPartition("any.v1", 0)
    for ask in (lambda: topics.ensure([a_topic()]), lambda: topics.ids(["any.v1"]), lambda: topics.ends([partition])):
        with pytest.raises(BrokerUnavailableError):
            ask()


def test_members_are_counted_and_an_unknown_group_has_none(broker: str, topics: KafkaAdmin) -> None:
    group, topic = helper.a_group(), create(broker)
    with closing(GroupConsumer(settings(broker), group, [topic], lambda _: {})) as source:
        until("an assigned partition", lambda: source.poll(1, 0.1) or source.assigned, seconds=PATIENCE_S)
        assert topics.members([group, "nobody"]) == {group: 1, "nobody": 0}
    assert topics.members([group]) == {group: 0}


def test_a_prefix_begins_the_id_of_a_group_of_members_commits_and_questions(broker: str, topics: KafkaAdmin) -> None:
    name, place = helper.a_group(), TopicPartition(create(broker), 0)
    prefixed = settings(broker, kafka_group_prefix="our-")
    own = KafkaAdmin(prefixed, "test")
    with closing(GroupConsumer(prefixed, name, [place.topic], lambda _: {})) as source:
        until("an assigned partition", lambda: source.poll(1, 0.1) or source.assigned, seconds=PATIENCE_S)
        source.commit({place: 0})
        assert own.members([name]) == {name: 1}
        assert topics.members([name, f"our-{name}"]) == {name: 0, f"our-{name}": 1}
        until("the group knows its member", source.has_joined, seconds=PATIENCE_S)
    until("the commit", lambda: own.committed(name, [place]) == {place: 0}, seconds=PATIENCE_S)
    assert topics.committed(name, [place]) == {}


def test_a_cluster_of_one_broker_has_no_under_replicated_partitions(broker: str, topics: KafkaAdmin) -> None:
    topic = create(broker)
    seen = topics.cluster()
    assert (seen.brokers, seen.under_replicated[topic]) == (1, 0)
