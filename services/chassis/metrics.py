"""Every metric, declared once with its meaning. Names follow OpenTelemetry's messaging conventions where they exist.

Never an id, a key or an offset as a label: the number of series must not grow with users.
"""

from collections.abc import Callable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, disable_created_metrics

SYSTEM = "kafka"
LATENCY_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
SIZE_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


class Metrics:
    """The metrics of one process, on a registry of its own."""

    def __init__(self, service: str, version: str) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.service = service
        self.registry = registry = CollectorRegistry()
        Info("app_build", "What runs here.", registry=registry).info({"service": service, "version": version})
        self.sent = Counter(
            "messaging_client_sent_messages_total",
            "Records that the broker has acknowledged.",
            ["messaging_system", "messaging_destination_name"],
            registry=registry,
        )
        self.consumed = Counter(
            "messaging_client_consumed_messages_total",
            "Records whose effect, or refusal, is committed.",
            ["messaging_system", "messaging_destination_name", "messaging_consumer_group_name"],
            registry=registry,
        )
        self.process_duration = Histogram(
            "messaging_process_duration_seconds",
            "Time from a batch in hand to its effects committed.",
            ["messaging_system", "messaging_consumer_group_name"],
            buckets=LATENCY_BUCKETS,
            registry=registry,
        )
        self.end_to_end = Histogram(
            "event_end_to_end_latency_seconds",
            "Time from an event's ce_time to its committed effect.",
            ["service", "type"],
            buckets=LATENCY_BUCKETS,
            registry=registry,
        )
        self.http_duration = Histogram(
            "http_server_request_duration_seconds",
            "Time to answer a request.",
            ["http_request_method", "http_route", "http_response_status_code"],
            buckets=LATENCY_BUCKETS,
            registry=registry,
        )
        self.dead_letters = Counter(
            "dead_letters_total", "Records put on the dead-letter topic.", ["reason"], registry=registry
        )
        self.repeats = Counter(
            "repeats_total",
            "Records recognised as applied before.",
            ["messaging_destination_name"],
            registry=registry,
        )
        self.not_subscribed = Counter(
            "not_subscribed_total",
            "Records of a type that nobody here subscribes to.",
            ["messaging_destination_name"],
            registry=registry,
        )
        self.lost_races = Counter(
            "progress_lost_races_total",
            "Batches rolled back because another consumer had moved the progress.",
            registry=registry,
        )
        self.group_size = Histogram(
            "writer_group_size", "Commands committed together.", buckets=SIZE_BUCKETS, registry=registry
        )
        self.relay_epoch = Gauge(
            "relay_epoch",
            "Fencing epoch of this process's relay, 0 while another one is active.",
            registry=registry,
        )

    def gauge(self, name: str, meaning: str, read: Callable[[], float]) -> None:
        """Declare a gauge that is read when it is scraped."""
        Gauge(name, meaning, registry=self.registry).set_function(read)

    def count_sent(self, per_topic: Mapping[str, int]) -> None:
        """Add acknowledged records, by topic."""
        for topic, number in per_topic.items():
            self.sent.labels(SYSTEM, topic).inc(number)
