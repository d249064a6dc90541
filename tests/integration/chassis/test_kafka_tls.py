"""Kafka over TLS and with a login: each client, and the error texts of refused connections."""

from contextlib import closing

import pytest

from services.chassis.kafka.admin import BrokerRefusedError, KafkaAdmin
from services.chassis.kafka.group_consumer import GroupConsumer
from services.chassis.kafka.partition_reader import PartitionReader, read_topic
from services.chassis.kafka.producer import Producer
from services.chassis.kafka.settings import KafkaSettings
from services.chassis.messages.record import Outgoing, TopicPartition
from services.chassis.settings.environment import load
from tests.support.broker import PATIENCE_S, a_group, a_topic
from tests.support.certificates import REASONS, Files, Tapped
from tests.support.secure_broker import PASSWORD, SecureBroker

REACH_S = 2.0


def reach(settings: dict[str, str], patience_s: float = REACH_S) -> None:
    """Reach the broker, as the health check does."""
    KafkaAdmin(load(KafkaSettings, settings), "test").reach(patience_s)


def of_mutual_tls(broker: SecureBroker, files: Files) -> dict[str, str]:
    """Return the settings of a client that logs in with its certificate."""
    return {
        "APP_KAFKA_BOOTSTRAP_SERVERS": broker.address("mutual"),
        "APP_KAFKA_SECURITY_PROTOCOL": "ssl",
        "APP_KAFKA_CA_FILE": files.authority,
        "APP_KAFKA_CERTIFICATE_FILE": files.certificate,
        "APP_KAFKA_KEY_FILE": files.key,
    }


@pytest.mark.parametrize("how", ["SCRAM-SHA-512", "PLAIN", "certificate"])
def test_every_client_works_over_tls_with_each_kind_of_login(
    secure_broker: SecureBroker, files: Files, how: str
) -> None:
    mutual = how == "certificate"
    given = of_mutual_tls(secure_broker, files) if mutual else secure_broker.settings("right", files, how)
    settings, topic = load(KafkaSettings, given), a_topic()
    place = TopicPartition(topic.name, 0)
    topics = KafkaAdmin(settings, "test")
    assert topics.ensure([topic]) == [topic.name]
    with closing(Producer(settings, "test")) as producer:
        producer.publish([Outgoing(topic.name, b"key", b"value", [])])
    assert topics.ends([place]) == {place: 1}
    assert [record.value for batch in read_topic(settings, topic.name, 1) for record in batch] == [b"value"]
    with closing(PartitionReader(settings, "test", {place: 0})) as reader:
        assert [record.value for record in reader.poll(1, PATIENCE_S)] == [b"value"]
    with closing(GroupConsumer(settings, a_group(), [topic.name], lambda _: {})) as member:
        assert [record.value for record in member.poll(1, PATIENCE_S)] == [b"value"]


@pytest.mark.parametrize("wrong", REASONS)
def test_a_wrong_certificate_is_refused_with_the_reason(secure_broker: SecureBroker, files: Files, wrong: str) -> None:
    """TLS: wrong CA, expired certificate and wrong host name are given apart."""
    with pytest.raises(BrokerRefusedError, match=REASONS[wrong]) as caught:
        reach(secure_broker.settings(wrong, files))
    assert secure_broker.address(wrong) in str(caught.value)
    assert "APP_KAFKA_" in str(caught.value)


def test_without_a_ca_file_only_the_systems_authorities_are_trusted(secure_broker: SecureBroker, files: Files) -> None:
    settings = secure_broker.settings("right", files)
    del settings["APP_KAFKA_CA_FILE"]
    with pytest.raises(BrokerRefusedError, match=REASONS["wrong CA"]):
        reach(settings)


def test_the_error_of_a_refused_login_does_not_have_the_password(secure_broker: SecureBroker, files: Files) -> None:
    settings = secure_broker.settings("right", files) | {"APP_KAFKA_PASSWORD": "a wrong one"}
    with pytest.raises(BrokerRefusedError, match=r"invalid credentials .* check APP_KAFKA_USER") as caught:
        reach(settings)
    assert "a wrong one" not in str(caught.value)


def test_a_missing_client_certificate_is_named_in_the_error(secure_broker: SecureBroker, files: Files) -> None:
    settings = of_mutual_tls(secure_broker, files)
    del settings["APP_KAFKA_CERTIFICATE_FILE"], settings["APP_KAFKA_KEY_FILE"]
    with pytest.raises(BrokerRefusedError, match=r"certificate.* check APP_KAFKA_BOOTSTRAP_SERVERS"):
        reach(settings)


def test_a_client_with_tls_sends_nothing_readable_to_a_plaintext_broker(
    secure_broker: SecureBroker, files: Files
) -> None:
    """TLS: never falls back to plaintext."""
    with closing(Tapped(secure_broker.ports["plaintext"])) as tapped:
        address = {"APP_KAFKA_BOOTSTRAP_SERVERS": f"localhost:{tapped.port}"}
        with pytest.raises(BrokerRefusedError, match="no TLS with localhost"):
            reach(secure_broker.settings("right", files) | address)
        assert tapped.spoken
        assert all(secret not in tapped.spoken for secret in (b"confluent-kafka-python", PASSWORD.encode()))
        tapped.pieces.clear()
        reach(address, PATIENCE_S)
        assert b"confluent-kafka-python" in tapped.spoken  # what the test would have seen


def test_the_error_of_a_plaintext_client_names_the_security_protocol(secure_broker: SecureBroker) -> None:
    with pytest.raises(BrokerRefusedError, match=r"hangs up: .*APP_KAFKA_SECURITY_PROTOCOL"):
        reach({"APP_KAFKA_BOOTSTRAP_SERVERS": secure_broker.address("right")})
