"""The lag probe: what it shows is what it has just seen, and nothing where nothing could be seen."""

import math
from datetime import timedelta

import pytest

from services.chassis.kafka.admin import BrokerUnavailableError, Cluster, TopicsError
from services.chassis.kafka.group_consumer import PartitionReadError
from services.console.lag import Lag
from services.console.probe.lag_exporter import LagProbe, Seen
from services.workbench.documents.metrics import every
from tests.support.builders import a_telemetry

SERIES = {"messaging_consumer_group_name": "audit", "messaging_destination_name": "user.events.v1"}


def seen(records: int, seconds: int | None) -> Seen:
    lags = [Lag("audit", "user.events.v1", records, seconds)]
    return Seen(lags, {"audit": 2}, {"user.events.v1": 40}, Cluster(3, {"user.events.v1": 1, "of others": 5}))


class World:
    """A probe whose broker gives a configured answer: a state, or an error."""

    def __init__(self) -> None:
        self.told = a_telemetry()
        self.answer: Seen | Exception = seen(0, 0)
        self.probe = LagProbe(self._look, timedelta(seconds=1), self.told)
        self.told.health.has("start")

    def _look(self) -> Seen:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def look(self, answer: Seen | Exception) -> None:
        self.answer = answer
        self.probe.check()

    def shown(self, name: str) -> float | None:
        labels = next((one.labels for one in every() if one.name == name), ())
        return self.told.metrics.registry.get_sample_value(name, {label: SERIES[label] for label in labels})


def test_the_probe_is_not_ready_before_it_has_looked_and_shows_what_it_has_seen() -> None:
    world = World()
    assert world.told.health.missing() == {"kafka": "not looked yet"}
    world.look(seen(7, 3))
    assert (world.shown("consumer_lag_records"), world.shown("consumer_lag_seconds")) == (7, 3)
    assert world.told.health.missing() == {}


def test_an_age_that_could_not_be_read_is_no_number() -> None:
    world = World()
    world.look(seen(7, None))
    assert math.isnan(world.shown("consumer_lag_seconds") or 0)


@pytest.mark.parametrize("error", [BrokerUnavailableError("down"), TopicsError("no topic"), PartitionReadError("gone")])
def test_what_cannot_be_asked_is_not_shown_is_counted_and_makes_it_not_ready(error: Exception) -> None:
    world = World()
    world.look(seen(7, 3))
    world.look(error)
    assert world.shown("consumer_lag_records") is None
    assert world.shown("consumer_lag_seconds") is None
    assert world.shown("lag_probe_failures_total") == 1
    assert world.told.health.missing() == {"kafka": str(error)}
    world.look(seen(0, 0))
    assert world.shown("consumer_lag_records") == 0
    assert world.told.health.missing() == {}


def test_members_and_topics_are_shown_too_and_nothing_of_topics_that_are_not_ours() -> None:
    world = World()
    names = "consumer_group_members", "topic_end_offset", "topic_under_replicated_partitions", "kafka_brokers"
    world.look(seen(7, 3))
    assert [world.shown(name) for name in names] == [2, 40, 1, 3]
    topics = {"messaging_destination_name": "of others"}
    assert world.told.metrics.registry.get_sample_value("topic_under_replicated_partitions", topics) is None
    world.look(BrokerUnavailableError("down"))
    assert [world.shown(name) for name in names] == [None] * 4
