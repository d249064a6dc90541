"""What the Kafka clients of a process tell of themselves. A client that is gone shows nothing any more.

One object per part that a client plays, relay, dead-letters or consumer: after a failure another client plays it,
whose own counts begin at 0 again, and ours go on.
"""

from collections.abc import Collection, Mapping

import msgspec

from services.chassis.telemetry.metrics import Metrics
from services.chassis.telemetry.metrics.declared import SYSTEM, Declared
from services.chassis.telemetry.metrics.kafka import (
    BROKERS_UP,
    FETCH_QUEUE,
    QUEUE,
    REBALANCES,
    REQUEST_ERRORS,
    REQUEST_RETRIES,
    ROUND_TRIP,
)
from services.chassis.telemetry.metrics.publishing import OPERATION_DURATION

CONSUMER, RELAY, DEAD_LETTERS = "consumer", "relay", "dead-letters"
PERCENTILES = ("50", "99")


class ClientStatistics(msgspec.Struct, frozen=True):
    """What a client told: values of gauges, counts since its start, and seconds by percentile, of the slowest broker.

    `round_trips` is empty where nothing was asked in the meantime.
    """

    gauges: Mapping[Declared, float]
    counts: Mapping[Declared, int]
    round_trips: Mapping[str, float]


class ClientMetrics:
    """The metrics of one part, and of the clients that play it one after the other."""

    def __init__(self, client: str, metrics: Metrics) -> None:
        gauges = (FETCH_QUEUE if client == CONSUMER else QUEUE, BROKERS_UP)
        counts = (REQUEST_ERRORS, REQUEST_RETRIES, *([REBALANCES] if client == CONSUMER else []))
        self._client = client
        self._operations = metrics.histogram(OPERATION_DURATION)
        self._round_trips = metrics.gauge(ROUND_TRIP)
        self._gauges = {declared: metrics.gauge(declared) for declared in gauges}
        self._counters = {declared: metrics.counter(declared).labels(client) for declared in counts}
        self._counted = dict.fromkeys(counts, 0)

    def took(self, operation: str, topics: Collection[str], seconds: float, error: str) -> None:
        """Count the time of an operation on topics; `error` is one word, empty where all went well."""
        topic = next(iter(topics)) if len(topics) == 1 else ""
        self._operations.labels(SYSTEM, topic, operation, error).observe(seconds)

    def told(self, statistics: ClientStatistics) -> None:
        """Show what the present client told."""
        for declared, gauge in self._gauges.items():
            gauge.labels(self._client).set(statistics.gauges[declared])
        for percentile, seconds in statistics.round_trips.items():
            self._round_trips.labels(self._client, percentile).set(seconds)
        for declared, counter in self._counters.items():
            count = statistics.counts[declared]
            # Less than before where a broker has left the cluster and took its counts with it.
            counter.inc(max(0, count - self._counted[declared]))
            self._counted[declared] = count

    def closed(self) -> None:
        """Show nothing of a client that is no more."""
        for gauge in self._gauges.values():
            gauge.remove(self._client)
        for percentile in PERCENTILES:
            self._round_trips.remove(self._client, percentile)
        self._counted = dict.fromkeys(self._counted, 0)
