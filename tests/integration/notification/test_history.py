"""A topic is read from its beginning to its end, on the real broker."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from services.chassis.kafka import topic_history
from services.chassis.kafka.admin import KafkaAdmin
from services.chassis.kafka.producer import Producer
from services.chassis.kafka.topic_history import HistoryError
from services.chassis.messages.record import Outgoing
from services.contracts.catalog import NOTIFICATION_EVENTS, USER_EVENTS
from services.workbench.local.broker import broker
from services.workbench.local.free_ports import free_ports
from services.workbench.local.ports import HOST
from services.workbench.local.system import System
from services.workbench.settings import WorkbenchSettings

JARS = Path(".eventline/kafka")
READY_S = 60.0


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkbenchSettings]:
    """A broker with two topics: one has 2500 records, the other none."""
    port, controller = free_ports(2)
    settings = WorkbenchSettings(kafka_bootstrap_servers=f"{HOST}:{port}")
    with System([broker(port, controller, JARS, tmp_path_factory.mktemp("broker"))]) as system:
        system.start("broker")
        system.wait_ready(READY_S, "broker")
        KafkaAdmin(settings, "test").ensure([NOTIFICATION_EVENTS, USER_EVENTS])
        producer = Producer(settings, "test")
        producer.publish(
            [Outgoing(NOTIFICATION_EVENTS.name, b"%d" % (n % 50), b"%d" % n, [("n", b"1")], n) for n in range(2500)]
        )
        producer.close()
        yield settings


def test_everything_is_read_once_and_in_the_order_of_each_partition(settings: WorkbenchSettings) -> None:
    read = [record for batch in topic_history.read(settings, NOTIFICATION_EVENTS.name, 6) for record in batch]
    assert sorted(int(record.value or b"") for record in read) == list(range(2500))
    for partition in range(6):
        offsets = [record.offset for record in read if record.partition == partition]
        assert offsets == list(range(len(offsets)))


def test_an_empty_topic_has_an_end_too(settings: WorkbenchSettings) -> None:
    assert [record for batch in topic_history.read(settings, USER_EVENTS.name, 6) for record in batch] == []


def test_a_topic_that_does_not_exist_is_waited_for_by_trying_again(settings: WorkbenchSettings) -> None:
    with pytest.raises(HistoryError, match=r"no\.such\.topic: nothing heard for 0\.5 s"):
        list(topic_history.read(settings, "no.such.topic", 1, silence_s=0.5))
