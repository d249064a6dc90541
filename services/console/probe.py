"""`console probe`: the lag of every consumer group as metrics, also while its consumers are dead. Stays up.

What cannot be asked is not shown: while the broker is away the gauges have no series, `lag_probe_failures_total`
grows, and the probe is not ready and says why.
"""

import math
import threading
from collections.abc import Callable, Sequence
from datetime import timedelta

import structlog

from services.chassis.kafka.source import SourceError
from services.chassis.kafka.topics import Topics, TopicsError
from services.chassis.metrics.special import LAG_FAILURES, LAG_RECORDS, LAG_SECONDS
from services.chassis.runtime import Plan
from services.chassis.settings import ProcessSettings
from services.chassis.telemetry import Telemetry
from services.console.lag import Ages, Lag, lags

NAME = "lag-probe"
WHAT = "kafka"

log = structlog.get_logger()


class ProbeSettings(ProcessSettings, frozen=True, kw_only=True):
    """What the probe is told."""

    probe_every: timedelta = timedelta(seconds=5)


class LagProbe:
    """Looks from time to time and sets the gauges. `look` may raise ConnectionError, TopicsError and SourceError."""

    name = NAME

    def __init__(self, look: Callable[[], Sequence[Lag]], every: timedelta, telemetry: Telemetry) -> None:
        self._look = look
        self._every = every.total_seconds()
        self._health = telemetry.health
        self._records = telemetry.metrics.gauge(LAG_RECORDS)
        self._seconds = telemetry.metrics.gauge(LAG_SECONDS)
        self._failures = telemetry.metrics.counter(LAG_FAILURES)
        self._health.lacks(WHAT, "not looked yet")

    def run(self, stop: threading.Event) -> None:
        """Look until told to stop."""
        while not stop.is_set():
            self._health.beat(self.name)
            self.look()
            stop.wait(self._every)

    def look(self) -> None:
        """Set the gauges once, or take them away and say why."""
        try:
            found = self._look()
        except (ConnectionError, TopicsError, SourceError) as error:
            log.warning("cannot look at the lag, trying again", error=str(error))
            self._failures.inc()
            self._health.lacks(WHAT, str(error))
            self._records.clear()
            self._seconds.clear()
        else:
            self._health.has(WHAT)
            self._show(found)

    def _show(self, found: Sequence[Lag]) -> None:
        for lag in found:
            self._records.labels(lag.group, lag.topic).set(lag.records)
            self._seconds.labels(lag.group, lag.topic).set(math.nan if lag.seconds is None else lag.seconds)


def build(settings: ProbeSettings, telemetry: Telemetry) -> Plan:
    """Return the probe's parts."""
    topics, ages = Topics(settings, NAME), Ages(settings, telemetry.clock)
    probe = LagProbe(lambda: lags(topics, ages), settings.probe_every, telemetry)
    return Plan(prepare=lambda: None, components=[probe], close=lambda: None)
