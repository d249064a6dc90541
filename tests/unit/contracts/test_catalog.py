"""The catalog: each topic as the design has it, each type with a name of its own."""

import re

import pytest

from services.contracts import catalog
from services.contracts.catalog import DAY_MS, TOPICS, TYPE_NAMES, TYPES, Pattern, Rule, Topic
from services.contracts.service_list import PARKING, PUBLISHERS

DELETE = {"cleanup.policy": "delete", "max.message.bytes": "1048576", "message.timestamp.type": "CreateTime"}
KEPT = str(7 * DAY_MS)  # as long as notices
COMPACT = DELETE | {"cleanup.policy": "compact", "min.compaction.lag.ms": KEPT, "delete.retention.ms": KEPT}
SETTINGS = {
    "user.events.v1": DELETE | {"retention.ms": "-1"},
    "user.state.v1": COMPACT,
    "user.notices.v1": DELETE | {"retention.ms": str(7 * DAY_MS)},
    "notification.events.v1": DELETE | {"retention.ms": str(30 * DAY_MS)},
}
LETTERS = DELETE | {"retention.ms": str(30 * DAY_MS), "max.message.bytes": "1114112"}
SETTINGS |= {f"{service}.dlq.v1": LETTERS for service in PARKING} | {"operations.v1": DELETE | {"retention.ms": "-1"}}
SETTINGS["audit.checkpoints.v1"] = DELETE | {"retention.ms": "-1"}
WITHOUT_TYPES = (Pattern.DEAD_LETTERS, Pattern.CHECKPOINTS)
of_every_topic = pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)


def test_every_topic_has_its_settings_written_down_here() -> None:
    assert {topic.name for topic in TOPICS} == set(SETTINGS)


@of_every_topic
def test_a_topic_has_the_settings_that_its_pattern_needs(topic: Topic) -> None:
    assert topic.settings() == SETTINGS[topic.name]


@of_every_topic
def test_a_topics_name_tells_its_publisher_and_its_version(topic: Topic) -> None:
    publisher = "" if topic is catalog.OPERATIONS else rf"{topic.publishers[0]}\."
    assert re.fullmatch(rf"{publisher}[a-z]+\.v1", topic.name)


@of_every_topic
def test_audit_reads_every_topic_but_its_own_and_nobody_reads_their_own(topic: Topic) -> None:
    assert ("audit" in topic.readers) == (topic is not catalog.AUDIT_CHECKPOINTS)
    assert not set(topic.publishers) & set(topic.readers)


@of_every_topic
def test_records_of_one_user_share_a_partition_number_on_every_topic_about_users(topic: Topic) -> None:
    assert topic.partitions == (1 if topic.pattern in (*WITHOUT_TYPES, Pattern.OPERATIONS) else 6)


def test_a_service_reads_the_topics_that_name_it_as_a_reader() -> None:
    assert catalog.read_by("audit") == catalog.EVENT_TOPICS
    assert catalog.read_by("notification") == (catalog.USER_STATE, catalog.USER_NOTICES)


def test_a_state_waits_with_compaction_as_long_as_notices_are_kept() -> None:
    kept = catalog.USER_NOTICES.settings()["retention.ms"]
    state = catalog.USER_STATE.settings()
    assert (state["min.compaction.lag.ms"], state["delete.retention.ms"]) == (kept, kept)


def test_holes_are_normal_only_where_topics_are_compacted() -> None:
    assert [topic for topic in TOPICS if topic.rule is Rule.NEWEST] == [
        topic for topic in TOPICS if topic.cleanup == "compact"
    ]


def test_each_struct_has_one_type_name() -> None:
    assert {name: struct for struct, name in TYPE_NAMES.items()} == TYPES


def test_each_type_stands_on_one_topic_of_its_publisher_and_dead_letters_and_checkpoints_have_none() -> None:
    assert sorted(kind for topic in TOPICS for kind in topic.types) == sorted(TYPES)
    for topic in TOPICS:
        publisher = "operator" if topic is catalog.OPERATIONS else topic.publishers[0]
        assert all(kind.startswith(f"{publisher}.") for kind in topic.types)
        assert (topic.sources == ()) == (topic.types == ()) == (topic.pattern in WITHOUT_TYPES)


def test_every_service_with_an_outbox_publishes_operator_actions_under_a_source_of_its_own() -> None:
    assert catalog.OPERATIONS.publishers == PUBLISHERS
    assert catalog.OPERATIONS.sources == ("/user/operations", "/notification/operations")


def test_each_topic_has_sources_of_its_own() -> None:
    sources = [source for topic in TOPICS for source in topic.sources]
    assert len(set(sources)) == len(sources)
