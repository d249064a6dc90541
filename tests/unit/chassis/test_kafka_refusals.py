"""Refusals of a consumer: each names the right to grant or the setting to change."""

import pytest
from confluent_kafka import KafkaError

from services.chassis.kafka.rights.refusals import refusal
from services.chassis.kafka.settings import KafkaSettings

SETTINGS = KafkaSettings(kafka_bootstrap_servers="nowhere:1", kafka_group_protocol="classic")
FATAL = KafkaError._FATAL  # noqa: SLF001  # a constant


@pytest.mark.parametrize(
    ("code", "text", "advice"),
    [
        (KafkaError.GROUP_AUTHORIZATION_FAILED, "denied", "this client needs the right READ on group readers"),
        (FATAL, "Fatal error: Broker: Group authorization failed: …", "needs the right READ on group readers"),
        (KafkaError.GROUP_MAX_SIZE_REACHED, "full", "group.max.size with APP_KAFKA_GROUP_PROTOCOL=classic"),
        (FATAL, "Fatal error: Broker: API version not supported: …", "write APP_KAFKA_GROUP_PROTOCOL=classic"),
        (KafkaError.INCONSISTENT_GROUP_PROTOCOL, "mixed", "the same APP_KAFKA_GROUP_PROTOCOL for all"),
        (FATAL, "Fatal error: of another kind", "Fatal error: of another kind"),
    ],
)
def test_a_refusal_names_what_to_change(code: int, text: str, advice: str) -> None:
    found = str(refusal(KafkaError(code, text), SETTINGS, "readers", ["a.v1"]))
    assert found.startswith(text)
    assert advice in found
