"""The smallest example, examples/timestamps.py, on a real broker."""

import threading
from pathlib import Path

from examples.timestamps import TOPIC, consume, produce
from services.chassis.kafka.admin import KafkaAdmin
from services.chassis.kafka.settings import KafkaSettings
from services.workbench.polling import until

DEADLINE_S = 30.0


def test_the_smallest_example_carries_a_timestamp_from_producer_to_consumer(broker: str, tmp_path: Path) -> None:
    settings = KafkaSettings(kafka_bootstrap_servers=broker)
    KafkaAdmin(settings, "test").ensure([TOPIC])
    seen: list[str] = []
    stop = threading.Event()
    url = f"sqlite:///{tmp_path}/readers.db"
    reader = threading.Thread(target=consume, args=(settings, url, seen.append, stop))
    reader.start()
    try:
        produce(settings)
        until("a timestamp", lambda: seen, seconds=DEADLINE_S)
    finally:
        stop.set()
        reader.join()
    assert len(seen) == 1, f"seen: {seen}"
    assert seen[0].endswith("+00:00")
