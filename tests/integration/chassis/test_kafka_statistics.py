"""Metrics from librdkafka's statistics, with clients on a real broker."""

from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from functools import partial

import pytest

from services.chassis.kafka import statistics
from services.chassis.kafka.client_metrics import CONSUMER, RELAY, ClientMetrics
from services.chassis.kafka.group_consumer import GroupConsumer
from services.chassis.kafka.producer import Producer
from services.chassis.messages.publisher import PublishError
from services.chassis.messages.record import Outgoing, TopicPartition
from services.chassis.telemetry.metrics import Metrics
from services.workbench.local.free_ports import free_ports
from services.workbench.polling import until
from tests.support.broker import a_group, create, settings

PATIENCE_S = 30.0
OFTEN_MS = 200


@pytest.fixture
def metrics(monkeypatch: pytest.MonkeyPatch) -> Metrics:
    monkeypatch.setattr(statistics, "INTERVAL_MS", OFTEN_MS)
    return Metrics("test", "1")


def shown(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


def poll_until(holds: Callable[[], bool], poll: Callable[[], object], seen: Callable[[], object]) -> None:
    def look() -> tuple[bool, object]:
        poll()
        return holds(), seen()

    until("the statistics", look, lambda found: found[0], PATIENCE_S)


def test_an_idle_producer_that_is_polled_has_metrics_until_it_is_closed(broker: str, metrics: Metrics) -> None:
    topic = create(broker)
    with closing(Producer(settings(broker), "test", ClientMetrics(RELAY, metrics))) as producer:
        producer.publish([Outgoing(topic, b"k", b"v", [])])
        up = partial(shown, metrics, "kafka_client_brokers_up", client=RELAY)
        poll_until(lambda: up() == 1, producer.poll, up)
        trip = partial(shown, metrics, "kafka_client_round_trip_seconds", client=RELAY, percentile="99")
        poll_until(lambda: (trip() or 0) > 0, producer.poll, trip)
    assert up() is None
    name = "messaging_client_operation_duration_seconds_count"
    of = {"messaging_system": "kafka", "messaging_operation_name": "publish", "messaging_destination_name": topic}
    assert shown(metrics, name, error_type="", **of) == 1


def test_a_producer_without_a_broker_counts_failures(metrics: Metrics) -> None:
    unreachable = settings(f"127.0.0.1:{free_ports(1)[0]}", kafka_message_timeout=timedelta(seconds=1))
    with closing(Producer(unreachable, "test", ClientMetrics(RELAY, metrics))) as producer:
        with pytest.raises(PublishError):
            producer.publish([Outgoing("any", b"k", b"v", [])])
        up = partial(shown, metrics, "kafka_client_brokers_up", client=RELAY)
        poll_until(lambda: up() == 0, producer.poll, up)
    name = "messaging_client_operation_duration_seconds_count"
    of = {"messaging_system": "kafka", "messaging_operation_name": "publish", "messaging_destination_name": "any"}
    assert shown(metrics, name, error_type="_MSG_TIMED_OUT", **of) == 1


def test_a_group_member_counts_rebalances_and_observes_commit_durations(broker: str, metrics: Metrics) -> None:
    topic = create(broker)
    with closing(
        GroupConsumer(settings(broker), a_group(), [topic], lambda _: {}, ClientMetrics(CONSUMER, metrics))
    ) as source:
        moved = partial(shown, metrics, "kafka_client_rebalances_total", client=CONSUMER)
        poll_until(lambda: (moved() or 0) >= 1, lambda: source.poll(1, 0.1), moved)
        source.commit({TopicPartition(topic, 0): 0})
        name = "messaging_client_operation_duration_seconds_count"
        of = {"messaging_system": "kafka", "messaging_operation_name": "commit", "messaging_destination_name": topic}
        hinted = partial(shown, metrics, name, error_type="", **of)
        poll_until(lambda: hinted() == 1, lambda: source.poll(1, 0.1), hinted)
    assert shown(metrics, "kafka_client_fetch_queue_bytes", client=CONSUMER) is None
