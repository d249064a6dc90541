"""BAD-INPUT, row Kafka: READ, WRITE or group permission removed and given back; granted late: for what is written.

Not ready with principal, operation, resource and the command that grants it; goes on by itself.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from services.audit.settings import Settings as AuditSettings
from services.chassis.kafka.admin import KafkaAdmin
from services.chassis.kafka.settings import KafkaSettings
from services.chassis.messages.record import partitions_of
from services.chassis.transparency import key_set
from services.contracts.catalog import (
    AUDIT_CHECKPOINTS,
    DEAD_LETTERS,
    NOTIFICATION_EVENTS,
    OPERATIONS,
    TOPICS,
    USER_EVENTS,
    USER_NOTICES,
    USER_STATE,
)
from services.workbench.polling import until
from tests.integration.bad_input.test_tls import running
from tests.support import secure_broker
from tests.support.certificates import USER, Files
from tests.support.readiness import ask, environment
from tests.support.secure_broker import SecureBroker
from tests.support.user_client import ADA

pytestmark = pytest.mark.long
OTHER = {"READ": "WRITE", "WRITE": "READ"}
ROWS = {
    "user": [
        *(("WRITE", topic.name) for topic in (USER_EVENTS, USER_STATE, USER_NOTICES, DEAD_LETTERS["user"], OPERATIONS)),
        ("READ", USER_EVENTS.name),
    ],
    "notification": [
        *(("WRITE", topic.name) for topic in (NOTIFICATION_EVENTS, DEAD_LETTERS["notification"], OPERATIONS)),
        ("READ", NOTIFICATION_EVENTS.name),
    ],
    "audit": [("WRITE", AUDIT_CHECKPOINTS.name), ("READ", AUDIT_CHECKPOINTS.name)],
}
BOB = {"login": "bob", "email": "bob@example.org", "full_name": "Bob"}
DENIED = "cannot publish now"


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureBroker]:
    """A broker of this file alone: to a log that another store has written, an empty one publishes nothing."""
    with secure_broker.running(tmp_path_factory.mktemp("broker")) as broker:
        admin_of(broker).ensure(TOPICS)
        yield broker


def admin_of(broker: SecureBroker) -> KafkaAdmin:
    return KafkaAdmin(KafkaSettings(kafka_bootstrap_servers=broker.address("plaintext")), "test")


def settings_of(name: str, broker: SecureBroker, files: Files, folder: Path) -> dict[str, str]:
    settings = broker.settings("right", files) | {"APP_DATABASE_URL": f"sqlite:///{folder}/{name}.db"}
    if name == "audit":
        key_set.ensure(folder, key_set.Parties(AuditSettings.audit_origin, key_set.WITNESS, "http://127.0.0.1:1"))
        settings["APP_AUDIT_KEY_FILE"] = str(folder / key_set.LOG_KEY)
    return environment(name, **settings)


def reason(operation: str, topic: str) -> str:
    return (
        f"rights: user {USER} needs the right {operation} on topic {topic}: `console rights` grants it, or `kafka-acls "
    )


@pytest.mark.parametrize("name", ROWS)
def test_a_right_of_a_writer_taken_and_given_back_and_granted_late_is_named_until_it_is_there(
    name: str, broker: SecureBroker, files: Files, tmp_path: Path
) -> None:
    settings = settings_of(name, broker, files, tmp_path)
    late, topic = ROWS[name][0]
    with ExitStack() as denied, running(name, settings, tmp_path) as service:
        denied.enter_context(broker.only(OTHER[late], "TOPIC", topic))
        text = service.await_reason(reason(late, topic), 503)
        assert f"--allow-principal 'User:{USER}' --operation {late.title()} --topic {topic}`" in text
        denied.close()
        service.await_reason("ok\n", 200)
        for operation, taken in ROWS[name]:
            with broker.only(OTHER[operation], "TOPIC", taken):
                service.await_reason(reason(operation, taken), 503)
            service.await_reason("ok\n", 200)
        service.await_ready()


def test_state_and_notices_are_not_written_again_while_the_topic_of_the_facts_is_denied(
    broker: SecureBroker, files: Files, tmp_path: Path
) -> None:
    """Denied before the first write nothing is written; denied to a connected producer, one batch once."""
    admin, log = admin_of(broker), tmp_path / "user.log"

    def written() -> list[int]:
        topics = (USER_EVENTS, USER_STATE, USER_NOTICES)
        return [admin.size(partitions_of(topic.name, topic.partitions)) for topic in topics]

    def tries() -> int:
        return log.read_text().count(DENIED) if log.exists() else 0

    def await_tries() -> None:
        before = tries()
        until("three more tries", tries, lambda found: found >= before + 3)

    with running("user", settings_of("user", broker, files, tmp_path), tmp_path) as service:
        with broker.only("READ", "TOPIC", USER_EVENTS.name):
            service.await_reason(reason("WRITE", USER_EVENTS.name), 503)
            until("a user", lambda: ask(service.port, "/users", ADA)[0] == 201)
            await_tries()
            assert written() == [0, 0, 0]
        until("the records", written, lambda found: found == [1, 1, 1])
        service.await_reason("ok\n", 200)
        with broker.only("READ", "TOPIC", USER_EVENTS.name):
            assert ask(service.port, "/users", BOB)[0] == 201
            await_tries()
            after = written()
            await_tries()
            assert written() == after
            assert after[0] == 1
            assert max(after) <= 2
        until("the fact", written, lambda found: found[0] == 2)
        service.await_ready()
        assert written() == [2, after[1] + 1, after[2] + 1]
