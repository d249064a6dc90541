"""The metrics of one process. Code that counts gets its instrument by the declaration."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TypeVar, cast

import structlog
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError

from services.chassis.telemetry import tracing
from services.chassis.telemetry.metrics.bounded_reads import BoundedReads
from services.chassis.telemetry.metrics.declared import Declared
from services.chassis.telemetry.metrics.exemplars import exemplar
from services.chassis.telemetry.metrics.latencies import Latencies
from services.chassis.telemetry.metrics.serving import BUILD, CLOCK

# The reading of a gauge: a value, one per label or labels, or None where there is nothing to show.
Reading = float | Mapping[str, float] | Mapping[tuple[str, str], float] | None

I = TypeVar("I")  # noqa: E741  # an instrument
log = structlog.get_logger()


class Metrics:
    """A registry of its own. An instrument asked for twice is the same."""

    def __init__(self, service: str, version: str) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        self._made: dict[Declared, object] = {}
        self.reads = BoundedReads()
        ProcessCollector(registry=self.registry)
        self.gauge(BUILD).labels(service, version).set(1)
        self.gauge(CLOCK).set_function(time.time)

    def counter(self, declared: Declared) -> Counter:
        """Return a counter."""
        return self._once(declared, partial(self._instrument, Counter))

    def gauge(self, declared: Declared) -> Gauge:
        """Return a gauge that is set."""
        return self._once(declared, partial(self._instrument, Gauge))

    def histogram(self, declared: Declared) -> Histogram:
        """Return a histogram."""
        return self._once(declared, partial(self._instrument, partial(Histogram, buckets=declared.buckets)))

    def latencies(self, declared: Declared) -> Latencies:
        """Return a histogram that takes a batch at once."""
        return self._once(declared, self._latencies)

    def on_scrape(self, declared: Declared, read: Callable[[], Reading]) -> None:
        """Add a gauge that is read whenever it is scraped, NaN while the database does not answer."""
        self.on_scrape_together([declared], lambda: [read()])

    def on_scrape_together(self, declared: Sequence[Declared], read: Callable[[], Sequence[Reading]]) -> None:
        """Add gauges that are read by one look, in the order of their declarations."""
        self.registry.register(_OnScrape(declared, partial(self.reads, read)))

    def _instrument(self, kind: Callable[..., I], declared: Declared) -> I:
        return kind(declared.name, declared.meaning, declared.labels, registry=self.registry)

    def _latencies(self, declared: Declared) -> Latencies:
        made = Latencies(declared)
        self.registry.register(made)
        return made

    def _once(self, declared: Declared, make: Callable[[Declared], I]) -> I:
        if declared not in self._made:
            self._made[declared] = make(declared)
        return cast("I", self._made[declared])


class _OnScrape(Collector):
    def __init__(self, declared: Sequence[Declared], read: Callable[[], Sequence[Reading]]) -> None:
        self._declared = declared
        self._read = read

    def describe(self) -> list[GaugeMetricFamily]:
        # Asked at registration, which refuses a name that is there already.
        return [_family(one, None) for one in self._declared]

    def collect(self) -> list[GaugeMetricFamily]:
        try:
            return [_family(*pair) for pair in zip(self._declared, self._read(), strict=True)]
        except (SQLAlchemyError, TimeoutError) as error:  # the other metrics are wanted now more than ever
            log.warning("metrics unknown", metrics=[one.name for one in self._declared], error=str(error))
            return [_family(one, None if one.labels else math.nan) for one in self._declared]


def _family(declared: Declared, reading: Reading) -> GaugeMetricFamily:
    family = GaugeMetricFamily(declared.name, declared.meaning, labels=declared.labels)
    if isinstance(reading, Mapping):
        for labels, value in reading.items():
            family.add_metric([labels] if isinstance(labels, str) else labels, value)
    elif reading is not None:
        family.add_metric([], reading)
    return family


def observe(histogram: Histogram, seconds: float) -> None:
    """Add to a histogram, with the trace of the work under way as its exemplar."""
    histogram.observe(seconds, exemplar(tracing.current()))
