"""The README's smallest example, executed from the README."""

import re
import threading
from pathlib import Path
from typing import Any

from services.chassis.kafka.admin import KafkaAdmin
from services.contracts.catalog import Pattern, Rule, Topic
from services.user.settings import Settings
from services.workbench.polling import until

README = Path(__file__).parents[3] / "README.md"
DEADLINE_S = 30.0


def the_example() -> dict[str, Any]:
    """Return the names that the README's first Python block defines."""
    found = re.search(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    assert found, "the README has no Python block"
    defined: dict[str, Any] = {}
    exec(found[1], defined)  # noqa: S102  # our own README
    return defined


def test_the_smallest_example_carries_a_timestamp_from_producer_to_consumer(broker: str, tmp_path: Path) -> None:
    example = the_example()
    settings = Settings(kafka_bootstrap_servers=broker, database_url=f"sqlite:///{tmp_path}/readers.db")
    topic = Topic(
        name="timestamps.v1", pattern=Pattern.NOTIFICATION, rule=Rule.ONCE, publisher="clock", readers=("readers",)
    )
    KafkaAdmin(settings, "test").ensure([topic])
    seen: list[str] = []
    stop = threading.Event()
    reader = threading.Thread(target=example["consume"], args=(settings, seen.append, stop))
    reader.start()
    example["produce"](settings)
    try:
        until("a timestamp", lambda: seen, seconds=DEADLINE_S)
    finally:
        stop.set()
        reader.join()
    assert len(seen) == 1, f"seen: {seen}"
    assert seen[0].endswith("+00:00")
