"""The running user service and a real broker: from a bounce on the topic to the flag, from rubbish to a dead letter."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from services.chassis.kafka.group_consumer import GroupConsumer
from services.chassis.kafka.producer import Producer
from services.chassis.kafka.settings import KafkaSettings
from services.chassis.messages.ids import new_id
from services.chassis.messages.record import Outgoing
from services.contracts import notification
from services.contracts.catalog import DEAD_LETTERS, NOTIFICATION_EVENTS
from services.contracts.envelope import to_headers
from services.contracts.notification import NotificationFailed, Recipient
from services.workbench.polling import until
from tests.support.builders import an_envelope
from tests.support.user_process import UserServer, a_person, registered


@pytest.fixture
def server(broker: str, tmp_path: Path) -> Iterator[UserServer]:
    server = UserServer(f"sqlite:///{tmp_path}/user.db", tmp_path, broker)
    yield server
    server.close()


@pytest.fixture
def settings(broker: str) -> KafkaSettings:
    return KafkaSettings(kafka_bootstrap_servers=broker)


def publish(settings: KafkaSettings, user_id: str, value: bytes, version: int) -> None:
    kind = "notification.failed"
    envelope = an_envelope(id=new_id(), source=notification.EVENTS, type=kind, subject=user_id, version=version)
    producer = Producer(settings, "test")
    producer.publish([Outgoing(NOTIFICATION_EVENTS.name, user_id.encode(), value, to_headers(envelope))])
    producer.close()


def test_a_bounce_on_the_topic_flags_the_user_and_rubbish_before_it_is_a_dead_letter(
    server: UserServer, settings: KafkaSettings
) -> None:
    person = a_person()
    path = registered(server, **person)
    user_id = path.rpartition("/")[2]
    bounce = NotificationFailed("n", user_id, "550 no such mailbox", True, 1, Recipient(str(person["email"])))  # noqa: FBT003  # the fact's own order
    publish(settings, user_id, b'{"permanent": ', 1)
    publish(settings, user_id, msgspec.json.encode(bounce), 2)
    until("the contact flag", lambda: server.send("GET", path).json["contact_flagged"])
    letters = GroupConsumer(settings, new_id(), [DEAD_LETTERS["user"].name], lambda _: {})
    try:
        until("a dead letter", lambda: any(record.key == user_id.encode() for record in letters.poll(100, 0.1)))
    finally:
        letters.close()
