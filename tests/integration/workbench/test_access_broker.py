"""The local broker with access control: unknown logins, missing rights, the log of denials, and where passwords are."""

import contextlib
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from services.chassis.kafka.admin import BrokerUnavailableError, KafkaAdmin
from services.chassis.kafka.producer import Producer
from services.chassis.kafka.settings import KafkaSettings
from services.chassis.messages.publisher import PublishError
from services.chassis.messages.record import Outgoing
from services.contracts import catalog
from services.contracts.access import PRINCIPALS
from tests.support.access_broker import AccessBroker, running

pytestmark = pytest.mark.long

ANSWER_S = 5.0
RECORD = Outgoing("user.events.v1", b"key", b"value", [])


@pytest.fixture(scope="module", params=[False, True], ids=["scram", "scram and TLS"])
def broker(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AccessBroker]:
    with running(tmp_path_factory.mktemp("access"), tls=request.param) as broker:
        KafkaAdmin(broker.settings("topics"), "test").ensure(catalog.TOPICS)
        broker.admit("user")
        yield broker


def publish(settings: KafkaSettings) -> None:
    with contextlib.closing(Producer(settings, "test")) as producer:
        producer.publish([RECORD])


def test_a_service_without_a_right_is_denied_and_the_log_names_it(broker: AccessBroker) -> None:
    with pytest.raises(PublishError, match="TOPIC_AUTHORIZATION_FAILED"):
        publish(broker.settings("user"))
    [denial, *_] = [line for line in broker.denials() if "eventline-user" in line]
    assert "user.events.v1" in denial


def test_the_administrator_may_do_everything(broker: AccessBroker) -> None:
    publish(broker.settings("topics"))


@pytest.mark.parametrize(("user", "password"), [("eventline-topics", "not-this-one"), ("eventline-nobody", "any")])
def test_a_wrong_login_is_refused(broker: AccessBroker, user: str, password: str) -> None:
    stranger = replace(broker.settings("topics"), kafka_user=user, kafka_password=password)
    with pytest.raises(BrokerUnavailableError, match="APP_KAFKA_USER"):
        KafkaAdmin(stranger, "test").reach(ANSWER_S)


def test_passwords_are_in_files_of_the_owner_alone(broker: AccessBroker) -> None:
    folder = broker.log.parent
    files = [
        path
        for path in folder.parent.rglob("*")
        if path.parent in {broker.logins.passwords, broker.logins.broker_secrets}
    ]
    secrets = {path.read_text() for path in files}
    assert {path.name for path in files} == {*PRINCIPALS, "broker"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    readable = [folder / "server.properties", broker.log, Path(f"/proc/{broker.system.process('broker').pid}/cmdline")]
    assert not [path for path in readable for secret in secrets if secret in path.read_text()]
