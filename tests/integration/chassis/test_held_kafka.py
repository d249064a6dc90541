"""A dead-letter topic that is not there, on a real broker: effects go on, and all letters follow once it is."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import text

from services.chassis.database.database import Database
from services.chassis.kafka.group_consumer import GroupConsumer
from services.chassis.kafka.producer import Producer
from services.chassis.kafka.settings import KafkaSettings
from services.chassis.messages.record import Outgoing, Record
from services.chassis.telemetry.telemetry import telemetry
from services.contracts import catalog
from services.workbench.bench import ours
from services.workbench.polling import until
from tests.support.broker import ensure, read, running
from tests.support.notification_builders import a_state, a_state_record

pytestmark = pytest.mark.long

LETTERS = catalog.DEAD_LETTERS["notification"]
OTHERS = [topic for topic in catalog.TOPICS if topic != LETTERS]
MESSAGE_TIMEOUT_S = 3
GOOD, BAD = 100, 10
STEP_S = 2 * MESSAGE_TIMEOUT_S / BAD


class Notification:
    """The consumer, the relay and the letters of the notification service on a real broker."""

    def __init__(self, address: str, folder: Path) -> None:
        self.settings = KafkaSettings(kafka_bootstrap_servers=address)
        url = f"sqlite:///{folder}/notification.db"
        self._database = Database(url)
        self.telemetry = telemetry("notification")
        waits = {"APP_KAFKA_MESSAGE_TIMEOUT": f"{MESSAGE_TIMEOUT_S}s", "APP_KAFKA_REQUEST_TIMEOUT": "3s"}
        self._plan = ours.PLANS["notification"](ours.environment(address, url) | waits, self.telemetry)
        self._plan.prepare()
        self._stop = threading.Event()
        parts = [part for part in self._plan.components if part.name in {"http", "consumer", "relay", "letters"}]
        self._threads = [threading.Thread(target=part.run, args=(self._stop,)) for part in parts]
        for thread in self._threads:
            thread.start()

    def write(self, *records: Record) -> None:
        producer = Producer(self.settings, "test")
        producer.publish([Outgoing(one.topic, one.key, one.value, one.headers or []) for one in records])
        producer.close()

    def count(self, query: str) -> int:
        with self._database.read() as connection:
            return int(connection.scalar(text(f"SELECT count(*) FROM {query}")) or 0)  # noqa: S608  # our own

    def close(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        self._plan.close()
        self._database.close()


@pytest.fixture
def notification(tmp_path: Path) -> Iterator[Notification]:
    with ExitStack() as stack:
        address, _ = stack.enter_context(running(tmp_path / "broker", OTHERS))
        service = Notification(address, tmp_path)
        stack.callback(service.close)
        yield service


def states(begin: int, number: int) -> list[Record]:
    people = [f"01936d5e-0000-7000-8000-{begin + at:012}" for at in range(number)]
    return [a_state_record(a_state(user_id=user_id)) for user_id in people]


def broken(records: list[Record]) -> list[Record]:
    return [msgspec.structs.replace(record, value=b"no JSON") for record in records]


def test_an_absent_dead_letter_topic_delays_no_effect_and_all_letters_are_published_once_it_is_there(
    notification: Notification,
) -> None:
    notification.write(*states(0, 1))
    until("the first state", lambda: notification.count("replica") == 1)
    began = time.monotonic()
    for step in range(BAD):  # over a longer time than a publisher waits for its acknowledgement
        notification.write(*states(1000 + step * GOOD // BAD, GOOD // BAD), *broken(states(2000 + step, 1)))
        applied = 1 + (step + 1) * GOOD // BAD
        until("the effects", lambda wanted=applied: notification.count("replica") == wanted, seconds=MESSAGE_TIMEOUT_S)  # type: ignore[misc]
        until("the refusal", lambda wanted=step + 1: notification.count("held WHERE due") == wanted)  # type: ignore[misc]
        until("the next step", lambda due=began + (step + 1) * STEP_S: time.monotonic() > due)  # type: ignore[misc]
    absent = until("why letters wait", notification.telemetry.health.absent, lambda found: "letters" in found)
    assert LETTERS.name in absent["letters"]
    ensure(notification.settings.kafka_bootstrap_servers, [LETTERS])
    until("every letter is published", lambda: notification.count("held WHERE due") == 0)
    assert notification.count("held") == BAD
    consumer = GroupConsumer(notification.settings, "test-letters", [LETTERS.name], lambda _: {})
    found = Counter(record.key for record in read(consumer, BAD))
    consumer.close()
    assert len(found) == BAD, "a letter is missing"
