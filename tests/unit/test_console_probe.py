"""The lag probe: what it shows is what it has just seen, and nothing where nothing could be seen."""

import math
from datetime import timedelta

import pytest

from services.chassis.kafka.source import SourceError
from services.chassis.kafka.topics import BrokerUnavailableError, TopicsError
from services.console.lag import Lag
from services.console.probe import LagProbe
from tests.builders import a_telemetry

SERIES = {"messaging_consumer_group_name": "audit", "messaging_destination_name": "user.events.v1"}


class World:
    """A probe whose broker answers what it is told: lags, or an error."""

    def __init__(self) -> None:
        self.told = a_telemetry()
        self.answer: list[Lag] | Exception = []
        self.probe = LagProbe(self._look, timedelta(seconds=1), self.told)
        self.told.health.has("start")

    def _look(self) -> list[Lag]:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def look(self, answer: list[Lag] | Exception) -> None:
        self.answer = answer
        self.probe.look()

    def shown(self, name: str) -> float | None:
        labels = SERIES if name.startswith("consumer") else {}
        return self.told.metrics.registry.get_sample_value(name, labels)


def test_the_probe_is_not_ready_before_it_has_looked_and_shows_what_it_has_seen() -> None:
    world = World()
    assert world.told.health.missing() == {"kafka": "not looked yet"}
    world.look([Lag("audit", "user.events.v1", 7, 3)])
    assert (world.shown("consumer_lag_records"), world.shown("consumer_lag_seconds")) == (7, 3)
    assert world.told.health.missing() == {}


def test_an_age_that_could_not_be_read_is_no_number() -> None:
    world = World()
    world.look([Lag("audit", "user.events.v1", 7, None)])
    assert math.isnan(world.shown("consumer_lag_seconds") or 0)


@pytest.mark.parametrize("error", [BrokerUnavailableError("away"), TopicsError("no topic"), SourceError("gone")])
def test_what_cannot_be_asked_is_not_shown_is_counted_and_makes_it_not_ready(error: Exception) -> None:
    world = World()
    world.look([Lag("audit", "user.events.v1", 7, 3)])
    world.look(error)
    assert world.shown("consumer_lag_records") is None
    assert world.shown("consumer_lag_seconds") is None
    assert world.shown("lag_probe_failures_total") == 1
    assert world.told.health.missing() == {"kafka": str(error)}
    world.look([Lag("audit", "user.events.v1", 0, 0)])
    assert world.shown("consumer_lag_records") == 0
    assert world.told.health.missing() == {}
