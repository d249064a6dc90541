"""The local broker really starts, answers, and keeps its data over a kill."""

import tempfile
from pathlib import Path

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from services.chassis.kafka.admin import BrokerUnavailableError, KafkaAdmin
from services.contracts import catalog
from services.workbench.local.broker import broker
from services.workbench.local.free_ports import free_ports
from services.workbench.local.ports import HOST
from services.workbench.local.system import BROKER_STOPPED, System
from services.workbench.polling import until
from services.workbench.settings import WorkbenchSettings

pytestmark = pytest.mark.long

DEADLINE = 60.0
JARS = Path(".eventline/kafka")
TOPIC = NewTopic("compressed", 1, config={"compression.type": "gzip"})  # of another kind: the broker must decompress


def await_ids(topics: KafkaAdmin, names: list[str]) -> dict[str, str]:
    """A broker knows of a topic a moment after its controller has created it."""
    return until("ids", lambda: topics.ids(names), lambda _: True, DEADLINE, BrokerUnavailableError)


def test_without_jars_the_way_to_get_them_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="run `make demo`"):
        broker(1, 2, jars=tmp_path, state=tmp_path)


def test_a_killed_broker_leaves_nothing_outside_its_folder(tmp_path: Path) -> None:
    port, controller = free_ports(2)
    address = f"{HOST}:{port}"
    with System([broker(port, controller, JARS, tmp_path)]) as system:
        system.start("broker")
        system.wait_ready(DEADLINE, "broker")
        client = AdminClient({"bootstrap.servers": address})
        client.create_topics([TOPIC])[TOPIC.topic].result(DEADLINE)
        producer = Producer({"bootstrap.servers": address, "compression.type": "lz4"})
        producer.produce(TOPIC.topic, b"x" * 1000)
        assert producer.flush(DEADLINE) == 0
        pid = system.process("broker").pid
        system.kill("broker")
    assert list((tmp_path / "tmp").glob("liblz4*.so"))
    assert not list(Path(tempfile.gettempdir()).glob(f"hsperfdata_*/{pid}"))


def test_a_killed_broker_comes_back_with_its_topics(tmp_path: Path) -> None:
    port, controller = free_ports(2)
    topics = KafkaAdmin(WorkbenchSettings(kafka_bootstrap_servers=f"{HOST}:{port}"), "test")
    names = [topic.name for topic in catalog.TOPICS]
    with System([broker(port, controller, JARS, tmp_path)]) as system:
        system.start("broker")
        system.wait_ready(DEADLINE, "broker")
        assert topics.ensure(catalog.TOPICS) == names
        ids = await_ids(topics, names)
        system.kill("broker")
        system.start("broker")
        system.wait_ready(DEADLINE, "broker")
        assert await_ids(topics, names) == ids
        assert topics.ensure(catalog.TOPICS) == []
        assert system.stop("broker") == {"broker": BROKER_STOPPED}
