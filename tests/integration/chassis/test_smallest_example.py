"""The smallest example, examples/timestamps.py, on a real broker."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
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


@contextlib.contextmanager
def program(broker: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Run the example as a person does, in a folder of its own."""
    environment = os.environ | {"BROKER": broker, "PYTHONPATH": str(Path(__file__).parents[3])}
    with subprocess.Popen(
        [sys.executable, "-m", "examples.timestamps"],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def test_the_smallest_example_runs_until_ctrl_c(broker: str, tmp_path: Path) -> None:
    with program(broker, tmp_path) as process:
        assert process.stdout is not None
        shown = (line for line in process.stdout if line.endswith("+00:00\n"))  # between log lines
        first, second = next(shown), next(shown)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=DEADLINE_S)
    assert "" < first < second
    assert (process.returncode, "Traceback" in errors) == (0, False)
