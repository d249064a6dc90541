"""OAUTHBEARER: clients log in with tokens of an issuer, which a real broker verifies by the issuer's published keys."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from services.chassis.kafka.admin import BrokerRefusedError, KafkaAdmin
from services.chassis.kafka.producer import Producer
from services.chassis.kafka.rights.topic_rights import RightMissingError, RightsCheck, TopicRights
from services.chassis.kafka.settings import KafkaSettings
from services.chassis.messages.record import Outgoing, TopicPartition
from services.chassis.settings.environment import load
from services.workbench.polling import until
from tests.support import broker as helper
from tests.support import secure_broker
from tests.support.certificates import CERTIFICATES, USER, Files
from tests.support.secure_broker import SecureBroker
from tests.support.token_endpoint import Issuer

pytestmark = pytest.mark.long
SECRET = "s:e c/r=e&t"  # noqa: S105  # of the tests
LISTENER = "listener.name.right."
BEARER = "org.apache.kafka.common.security.oauthbearer."


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with closing(Issuer(SECRET, USER)) as issuer:
        yield issuer


@pytest.fixture(scope="module")
def broker(issuer: Issuer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureBroker]:
    keys = f"{issuer.url}/jwks"
    config = {
        f"{LISTENER}sasl.enabled.mechanisms": "OAUTHBEARER",
        f"{LISTENER}oauthbearer.sasl.jaas.config": f"{BEARER}OAuthBearerLoginModule required;",
        f"{LISTENER}oauthbearer.sasl.server.callback.handler.class": f"{BEARER}OAuthBearerValidatorCallbackHandler",
        f"{LISTENER}oauthbearer.sasl.oauthbearer.jwks.endpoint.url": keys,
        f"{LISTENER}oauthbearer.sasl.oauthbearer.expected.audience": "kafka",
    }
    java = f"-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={keys}"
    with secure_broker.running(tmp_path_factory.mktemp("broker"), config, java) as broker:
        yield broker


def settings(broker: SecureBroker, files: Files, url: str, **more: str) -> KafkaSettings:
    given = broker.settings("right", files, "OAUTHBEARER") | {
        "APP_KAFKA_USER": "client-1",
        "APP_KAFKA_PASSWORD": SECRET,
        "APP_KAFKA_OAUTH_TOKEN_URL": f"{url}/token",
        "APP_KAFKA_REQUEST_TIMEOUT": "5s",
    }
    return load(KafkaSettings, given | more)


def test_records_are_written_and_read_with_tokens_and_a_missing_right_names_the_client(
    broker: SecureBroker, files: Files, issuer: Issuer
) -> None:
    topic = helper.create(broker.address("plaintext"))
    given = settings(
        broker, files, issuer.url, APP_KAFKA_OAUTH_SCOPE="kafka", APP_KAFKA_OAUTH_EXTENSIONS="team=a,site=b"
    )
    with closing(Producer(given, "test")) as producer:
        producer.publish([Outgoing(topic, b"key", b"value", [])])
    assert KafkaAdmin(given, "test").ends([TopicPartition(topic, 0)]) == {TopicPartition(topic, 0): 1}
    assert issuer.asked[-1] == {"grant_type": ["client_credentials"], "scope": ["kafka"]}
    check = RightsCheck(given, KafkaAdmin(given, "test"))
    with (
        broker.only("READ", "TOPIC", topic),
        pytest.raises(RightMissingError, match="the subject of the token of client client-1 needs the right WRITE"),
    ):
        check.require(TopicRights(write=(topic,)))
    check.require(TopicRights(write=(topic,)))


def test_a_token_is_renewed_before_it_expires(broker: SecureBroker, files: Files, issuer: Issuer) -> None:
    issuer.lasts_s = 5
    try:
        admin = KafkaAdmin(settings(broker, files, issuer.url), "test")
        admin.reach(10)
        asked = len(issuer.asked)
        until("two more tokens", lambda: len(issuer.asked), lambda found: found >= asked + 2)
        admin.reach(10)
    finally:
        issuer.lasts_s = 300


def test_a_wrong_secret_is_refused_with_the_settings_to_check_and_is_tried_again(
    broker: SecureBroker, files: Files, issuer: Issuer
) -> None:
    admin = KafkaAdmin(settings(broker, files, issuer.url, APP_KAFKA_PASSWORD="wrong"), "test")  # noqa: S106
    with pytest.raises(BrokerRefusedError, match="check APP_KAFKA_USER, APP_KAFKA_PASSWORD and the APP_KAFKA_OAUTH_"):
        admin.reach(3)
    issuer.secret = "wrong"  # noqa: S105  # the issuer's login is changed instead of the client's
    try:
        until("a login", lambda: admin.cluster().brokers == 1, passing=ConnectionError)
    finally:
        issuer.secret = SECRET


def test_an_issuer_with_tls_is_verified_by_the_named_authority(
    broker: SecureBroker, files: Files, issuer: Issuer
) -> None:
    with closing(Issuer(SECRET, USER, CERTIFICATES["right"])) as secure:
        secure.sign_like(issuer)
        given = settings(broker, files, secure.url, APP_KAFKA_OAUTH_CA_FILE=files.authority)
        KafkaAdmin(given, "test").reach(10)
        with pytest.raises(BrokerRefusedError, match="APP_KAFKA_OAUTH_"):
            KafkaAdmin(settings(broker, files, secure.url), "test").reach(3)
