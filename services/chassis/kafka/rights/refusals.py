"""Refusals: error events after which a consumer reads nothing until it is reopened, explained for the operator.

librdkafka reports each of them once, as an event of `poll`. `KafkaError.fatal()` is False even for `_FATAL` events.
"""

from collections.abc import Sequence

from confluent_kafka import KafkaError

from services.chassis.kafka.admin import BrokerRefusedError, KafkaAdmin
from services.chassis.kafka.rights import advice
from services.chassis.kafka.rights.topic_rights import READ, TopicRights
from services.chassis.kafka.settings import KafkaSettings

TOPIC, GROUP = KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.GROUP_AUTHORIZATION_FAILED
ADVICE = {
    KafkaError.GROUP_MAX_SIZE_REACHED: (
        "group {group} has as many members as the broker allows: run fewer processes, or raise the broker's "
        "group.consumer.max.size (group.max.size with APP_KAFKA_GROUP_PROTOCOL=classic)"
    ),
    KafkaError.UNSUPPORTED_VERSION: (
        "the broker does not offer the group protocol {protocol}: write APP_KAFKA_GROUP_PROTOCOL=classic, or add "
        "{protocol} to the broker's group.coordinator.rebalance.protocols"
    ),
    KafkaError.INCONSISTENT_GROUP_PROTOCOL: (
        "group {group} has members with another protocol or assignor: write the same APP_KAFKA_GROUP_PROTOCOL for all"
    ),
}
REFUSALS = {TOPIC, GROUP, *ADVICE, KafkaError._FATAL}  # noqa: SLF001  # a constant


def refusal(error: KafkaError, settings: KafkaSettings, group: str, topics: Sequence[str]) -> BrokerRefusedError:
    """Return the exception of a refusal, with the right to grant or the setting to change."""
    # A fatal event has the broker's error only in its text.
    causes = (TOPIC, GROUP, *ADVICE)
    cause = next((code for code in causes if code == error.code() or KafkaError(code).str() in error.str()), None)
    if cause is None:
        return BrokerRefusedError(error.str())
    return BrokerRefusedError(f"{error.str()}: {_remedy(cause, settings, settings.group_id(group), topics)}")


def _remedy(cause: int, settings: KafkaSettings, group_id: str, topics: Sequence[str]) -> str:
    if cause == TOPIC:
        return advice.missing(settings, READ, advice.TOPIC, _unreadable(settings, topics))
    if cause == GROUP:
        return advice.missing(settings, READ, advice.GROUP, [group_id])
    return ADVICE[cause].format(group=group_id, protocol=settings.kafka_group_protocol)


def _unreadable(settings: KafkaSettings, topics: Sequence[str]) -> Sequence[str]:
    try:
        allowed = KafkaAdmin(settings, "rights").operations(topics)
        return TopicRights(read=tuple(topics)).missing(allowed).get(READ, topics)
    except ConnectionError:  # the event's own text is reported
        return topics
