"""The local broker really starts, answers, and keeps its data over a kill."""

from pathlib import Path

import pytest

from services.chassis.kafka.topics import Topics
from services.console.local.broker import broker
from services.console.local.ports import HOST, free
from services.console.local.system import BROKER_STOPPED, System
from services.console.settings import ConsoleSettings
from services.contracts import catalog

DEADLINE = 60.0
JARS = Path(".eventline/kafka")


def test_without_jars_the_way_to_get_them_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="run `make demo`"):
        broker(1, 2, jars=tmp_path, state=tmp_path)


def test_a_killed_broker_comes_back_with_its_topics(tmp_path: Path) -> None:
    port, controller = free(2)
    topics = Topics(ConsoleSettings(kafka_bootstrap_servers=f"{HOST}:{port}"), "test")
    names = [topic.name for topic in catalog.TOPICS]
    with System([broker(port, controller, JARS, tmp_path)]) as system:
        system.start("broker")
        system.wait_ready(DEADLINE, "broker")
        assert topics.ensure(catalog.TOPICS) == names
        ids = topics.ids(names)
        system.kill("broker")
        system.start("broker")
        system.wait_ready(DEADLINE, "broker")
        assert topics.ids(names) == ids
        assert topics.ensure(catalog.TOPICS) == []
        assert system.stop("broker") == {"broker": BROKER_STOPPED}
