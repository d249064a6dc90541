"""Interoperability: other Kafka clients read the topics."""

import json
import shutil
import subprocess

import pytest

from services.chassis.kafka.producer import Producer
from services.chassis.kafka.settings import KafkaSettings
from services.user import publisher
from services.workbench.bench.workload import registered

NUMBER = 4711
KEY = f"01a20344-0000-7000-8000-{NUMBER:012d}"


@pytest.fixture(scope="module", autouse=True)
def _published(broker: str) -> None:
    producer = Producer(KafkaSettings(kafka_bootstrap_servers=broker), "test")
    producer.publish(publisher.records(registered(NUMBER)))
    producer.close()


def read_with_kcat(broker: str, topic: str) -> dict[str, object]:
    """Return the record as kcat prints it in JSON."""
    program = shutil.which("kcat")
    if program is None:
        pytest.skip("kcat is not installed: apt-get install kcat")
    command = [program, "-b", broker, "-C", "-t", topic, "-o", "beginning", "-e", "-q", "-J"]
    lines = subprocess.run(command, check=True, capture_output=True, text=True, timeout=30).stdout.splitlines()
    found: list[dict[str, object]] = [json.loads(line) for line in lines]
    return next(record for record in found if record["key"] == KEY)


@pytest.mark.parametrize(
    ("topic", "kind", "field"),
    [
        ("user.events.v1", "user.registered", "personal"),
        ("user.state.v1", "user.state", "status"),
        ("user.notices.v1", "user.notice", "type"),
    ],
)
def test_kcat_shows_the_envelope_as_headers_and_the_data_as_json(
    broker: str, topic: str, kind: str, field: str
) -> None:
    record = read_with_kcat(broker, topic)
    flat = record["headers"]
    assert isinstance(flat, list)
    headers = dict(zip(flat[::2], flat[1::2], strict=True))
    assert headers["ce_specversion"] == "1.0"
    assert headers["ce_type"] == kind
    assert headers["ce_subject"] == KEY
    assert headers["content-type"] == "application/json"
    assert field in json.loads(str(record["payload"]))
