"""Every metric, declared once with its meaning. Names follow OpenTelemetry's messaging conventions where they exist.

Never an id, a key or an offset as a label: the number of series must not grow with users.
"""

import math
from collections.abc import Callable, Mapping

import msgspec
import structlog
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
    disable_created_metrics,
)
from sqlalchemy.exc import SQLAlchemyError

SYSTEM = "kafka"
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
log = structlog.get_logger()
SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


class Declared(msgspec.Struct, frozen=True):
    """A metric: its name, what it means, its labels, and the buckets of a histogram."""

    name: str
    meaning: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = SECONDS


SENT = Declared(
    "messaging_client_sent_messages_total",
    "Records that the broker has acknowledged.",
    ("messaging_system", "messaging_destination_name"),
)
CONSUMED = Declared(
    "messaging_client_consumed_messages_total",
    "Records whose effect, or refusal, is committed.",
    ("messaging_system", "messaging_destination_name", "messaging_consumer_group_name"),
)
PROCESS_DURATION = Declared(
    "messaging_process_duration_seconds",
    "Time from a batch in hand to its effects committed.",
    ("messaging_system", "messaging_consumer_group_name"),
)
END_TO_END = Declared(
    "event_end_to_end_latency_seconds",
    "Time from an event's ce_time to its committed effect; replays stay out.",
    ("service", "type"),
)
HTTP_DURATION = Declared(
    "http_server_request_duration_seconds",
    "Time to answer a request.",
    ("http_request_method", "http_route", "http_response_status_code"),
)
DEAD_LETTERS = Declared("dead_letters_total", "Records put on the dead-letter topic.", ("reason",))
REPEATS = Declared("repeats_total", "Records recognised as applied before.", ("messaging_destination_name",))
NOT_SUBSCRIBED = Declared(
    "not_subscribed_total", "Records of a type that nobody here subscribes to.", ("messaging_destination_name",)
)
LOST_RACES = Declared("progress_lost_races_total", "Batches rolled back because another consumer was faster.")
GROUP_SIZE = Declared("writer_group_size", "Commands committed together.", buckets=SIZES)
PARKED_KEYS = Declared("parked_keys", "Keys with records that wait because they cannot be applied.")
RELAY_EPOCH = Declared("relay_epoch", "Fencing epoch of this process's relay, 0 while it does not lead.")
OUTBOX_PENDING = Declared("outbox_pending_events", "Events stored and not yet acknowledged by the broker.")
REPLICA_WAIT = Declared("replica_wait_seconds", "Age of the oldest notice that waits for its replica, 0 when none.")
OUTBOX_AGE = Declared("outbox_oldest_age_seconds", "Age of the oldest pending event, 0 when none.")

AUDIT_SIZE = Declared("audit_log_size", "Entries in the audit log.")
LAG_RECORDS = Declared(
    "consumer_lag_records",
    "Records that a consumer group has yet to consume; no series while the broker cannot be asked.",
    ("messaging_consumer_group_name", "messaging_destination_name"),
)
LAG_SECONDS = Declared(
    "consumer_lag_seconds",
    "Age of the oldest record that a consumer group has yet to consume, 0 when none, NaN when it could not be read.",
    ("messaging_consumer_group_name", "messaging_destination_name"),
)
LAG_FAILURES = Declared("lag_probe_failures_total", "Times that the lag probe could not ask the broker.")


class Metrics:
    """The metrics of one process, on a registry of its own."""

    def __init__(self, service: str, version: str) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.service = service
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        Info("app_build", "What runs here.", registry=self.registry).info({"service": service, "version": version})
        self.sent = self.counter(SENT)
        self.consumed = self.counter(CONSUMED)
        self.process_duration = self._histogram(PROCESS_DURATION)
        self.end_to_end = self._histogram(END_TO_END)
        self.http_duration = self._histogram(HTTP_DURATION)
        self.dead_letters = self.counter(DEAD_LETTERS)
        self.repeats = self.counter(REPEATS)
        self.not_subscribed = self.counter(NOT_SUBSCRIBED)
        self.lost_races = self.counter(LOST_RACES)
        self.group_size = self._histogram(GROUP_SIZE)
        self.relay_epoch = Gauge(RELAY_EPOCH.name, RELAY_EPOCH.meaning, registry=self.registry)

    def on_scrape(self, declared: Declared, read: Callable[[], float]) -> None:
        """Add a gauge that is read whenever it is scraped, NaN while the database cannot be asked."""

        def read_or_unknown() -> float:
            try:
                return read()
            except SQLAlchemyError as error:  # the other metrics are wanted now more than ever
                log.warning("metric unknown", metric=declared.name, error=str(error))
                return math.nan

        Gauge(declared.name, declared.meaning, registry=self.registry).set_function(read_or_unknown)

    def count_sent(self, per_topic: Mapping[str, int]) -> None:
        """Add acknowledged records, by topic."""
        for topic, number in per_topic.items():
            self.sent.labels(SYSTEM, topic).inc(number)

    def counter(self, declared: Declared) -> Counter:
        """Add a counter."""
        return Counter(declared.name, declared.meaning, declared.labels, registry=self.registry)

    def gauge(self, declared: Declared) -> Gauge:
        """Add a gauge that is set."""
        return Gauge(declared.name, declared.meaning, declared.labels, registry=self.registry)

    def _histogram(self, declared: Declared) -> Histogram:
        return Histogram(
            declared.name, declared.meaning, declared.labels, buckets=declared.buckets, registry=self.registry
        )
