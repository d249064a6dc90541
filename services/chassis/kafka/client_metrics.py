"""Metrics of the Kafka clients of a process, from librdkafka's statistics. A closed client has none.

One object per role of a client: relay, dead-letters, operations or consumer. After a failure a new client takes the
role; its own counts start at 0 again, and these counters go on.
"""

from collections.abc import Collection, Mapping

import msgspec

from services.chassis.telemetry.metrics import Metrics
from services.chassis.telemetry.metrics.declared import SYSTEM, Declared
from services.chassis.telemetry.metrics.kafka import (
    BROKERS_UP,
    ERROR_EVENTS,
    FETCH_QUEUE,
    QUEUE,
    REBALANCES,
    REQUEST_ERRORS,
    REQUEST_RETRIES,
    ROUND_TRIP,
)
from services.chassis.telemetry.metrics.publishing import OPERATION_DURATION

CONSUMER, RELAY, DEAD_LETTERS, OPERATIONS = "consumer", "relay", "dead-letters", "operations"
CHECKPOINTS = "checkpoints"
REFUSED = ("TOPIC_AUTHORIZATION_FAILED", "GROUP_AUTHORIZATION_FAILED", "_FATAL")  # shown from the start, for the alert
PERCENTILES = ("50", "99")


class ClientStatistics(msgspec.Struct, frozen=True):
    """One report of a client: gauges, counts since its start, and the slowest broker's seconds by percentile.

    `round_trips` is empty if there was no request since the last report.
    """

    gauges: Mapping[Declared, float]
    counts: Mapping[Declared, int]
    round_trips: Mapping[str, float]


class ClientMetrics:
    """The metrics of one role, over all clients that take it one after the other."""

    def __init__(self, client: str, metrics: Metrics) -> None:
        gauges = (FETCH_QUEUE if client == CONSUMER else QUEUE, BROKERS_UP)
        counts = (REQUEST_ERRORS, REQUEST_RETRIES, *([REBALANCES] if client == CONSUMER else []))
        self._client = client
        self._operations = metrics.histogram(OPERATION_DURATION)
        self._round_trips = metrics.gauge(ROUND_TRIP)
        self._gauges = {declared: metrics.gauge(declared) for declared in gauges}
        self._counters = {declared: metrics.counter(declared).labels(client) for declared in counts}
        self._counted = dict.fromkeys(counts, 0)
        self._errors = metrics.counter(ERROR_EVENTS)
        for error in REFUSED:
            self._errors.labels(client, error)

    def error(self, name: str) -> None:
        """Count an error event by librdkafka's name of its code."""
        self._errors.labels(self._client, name).inc()

    def took(self, operation: str, topics: Collection[str], seconds: float, error: str) -> None:
        """Count the time of an operation on topics; `error` is one word, empty for success."""
        topic = next(iter(topics)) if len(topics) == 1 else ""
        self._operations.labels(SYSTEM, topic, operation, error).observe(seconds)

    def update(self, statistics: ClientStatistics) -> None:
        """Set the metrics to the present client's report."""
        for declared, gauge in self._gauges.items():
            gauge.labels(self._client).set(statistics.gauges[declared])
        for percentile, seconds in statistics.round_trips.items():
            self._round_trips.labels(self._client, percentile).set(seconds)
        for declared, counter in self._counters.items():
            count = statistics.counts[declared]
            # Lower than before if a broker has left the cluster, because its counts left with it.
            counter.inc(max(0, count - self._counted[declared]))
            self._counted[declared] = count

    def closed(self) -> None:
        """Remove the gauges of a closed client."""
        for gauge in self._gauges.values():
            gauge.remove(self._client)
        for percentile in PERCENTILES:
            self._round_trips.remove(self._client, percentile)
        self._counted = dict.fromkeys(self._counted, 0)
