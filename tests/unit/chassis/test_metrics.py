"""Instruments, gauges that are read at a scrape, exemplars, and counts that go on from one client to the next."""

import math
import time
from collections.abc import Sequence
from datetime import timedelta

import pytest
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_open_metrics
from sqlalchemy.exc import OperationalError

from services.chassis.kafka.client_metrics import CONSUMER, RELAY, ClientMetrics, ClientStatistics
from services.chassis.messages.clock import seconds_since
from services.chassis.telemetry import tracing
from services.chassis.telemetry.metrics import Metrics
from services.chassis.telemetry.metrics.consuming import CEILING, PARKED_KEYS, REPEATS
from services.chassis.telemetry.metrics.exemplars import exemplar
from services.chassis.telemetry.metrics.kafka import (
    BROKERS_UP,
    FETCH_QUEUE,
    QUEUE,
    REBALANCES,
    REQUEST_ERRORS,
    REQUEST_RETRIES,
)
from services.chassis.telemetry.metrics.publishing import PUBLISH_LATENCY
from services.chassis.telemetry.metrics.registry import Reading, observe
from services.chassis.telemetry.metrics.serving import DB_FREE, HTTP_DURATION
from services.chassis.telemetry.tracing import Work, span
from tests.support.builders import NOW

TRACE = "0af7651916cd43dd8448eb211c80319c"
SAMPLED, DROPPED = f"00-{TRACE}-b7ad6b7169203331-01", f"00-{TRACE}-b7ad6b7169203331-00"


@pytest.fixture
def metrics() -> Metrics:
    return Metrics("test", "1")


def told(errors: int = 0, up: int = 1, rebalances: int = 0, p99: float | None = None) -> ClientStatistics:
    gauges = {BROKERS_UP: up, QUEUE: 5, FETCH_QUEUE: 7}
    counts = {REQUEST_ERRORS: errors, REQUEST_RETRIES: 0, REBALANCES: rebalances}
    return ClientStatistics(gauges, counts, {} if p99 is None else {"50": 0.001, "99": p99})


def test_an_instrument_asked_for_twice_is_the_same(metrics: Metrics) -> None:
    assert metrics.counter(REPEATS) is metrics.counter(REPEATS)


def test_a_gauge_that_is_read_twice_is_refused(metrics: Metrics) -> None:
    metrics.on_scrape(PARKED_KEYS, lambda: 0)
    with pytest.raises(ValueError, match="parked_keys"):
        metrics.on_scrape(PARKED_KEYS, lambda: 1)


def test_gauges_read_by_one_look_show_values_by_label_and_nothing_where_there_is_nothing(metrics: Metrics) -> None:
    calls: list[int] = []

    def look() -> Sequence[Reading]:
        calls.append(1)
        return 3, {"parked_keys": 0.5}, None

    metrics.on_scrape_together((PARKED_KEYS, CEILING, DB_FREE), look)
    lines = generate_latest(metrics.registry).decode().splitlines()
    assert {line for line in lines if line.startswith(("parked", "ceiling", "database"))} == {
        "parked_keys 3.0",
        'ceiling_used_ratio{ceiling="parked_keys"} 0.5',
    }
    assert len(calls) == 1


def test_while_the_database_is_unreachable_its_gauges_are_unknown_and_the_others_are_shown(metrics: Metrics) -> None:
    def away() -> Sequence[Reading]:
        raise OperationalError("any", {}, ConnectionError("unreachable"))

    metrics.on_scrape_together((PARKED_KEYS, CEILING), away)
    metrics.counter(REPEATS).labels("topic").inc()
    assert math.isnan(metrics.registry.get_sample_value("parked_keys") or 0)
    assert "ceiling_used_ratio{" not in generate_latest(metrics.registry).decode()
    assert metrics.registry.get_sample_value("repeats_total", {"messaging_destination_name": "topic"}) == 1


def test_a_duration_under_a_trace_has_it_as_its_exemplar_in_open_metrics_only(metrics: Metrics) -> None:
    histogram = metrics.histogram(HTTP_DURATION).labels("GET", "/users", "200")
    with span(tracing.OFF, Work("GET", "server"), SAMPLED):
        observe(histogram, 0.004)
    exposition = generate_open_metrics(metrics.registry).decode()  # type: ignore[no-untyped-call]
    [line] = [line for line in exposition.splitlines() if TRACE in line]
    assert 'le="0.005"} 1.0 # {trace_id="' in line
    assert TRACE not in generate_latest(metrics.registry).decode()


@pytest.mark.parametrize("context", [DROPPED, None])
def test_a_trace_that_nobody_records_is_no_exemplar(context: str | None) -> None:
    assert exemplar(SAMPLED) == {"trace_id": TRACE}
    assert exemplar(context) is None


def shown(metrics: Metrics, name: str, client: str = RELAY, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, {"client": client} | labels)


def test_counts_go_on_where_another_client_follows(metrics: Metrics) -> None:
    part = ClientMetrics(RELAY, metrics)
    part.update(told(errors=3))
    part.update(told(errors=5))
    part.closed()
    assert shown(metrics, "kafka_client_request_errors_total") == 5
    part.update(told(errors=2))
    assert shown(metrics, "kafka_client_request_errors_total") == 7


def test_a_broker_that_leaves_the_cluster_takes_nothing_from_a_count(metrics: Metrics) -> None:
    part = ClientMetrics(RELAY, metrics)
    for errors in (5, 1, 2):
        part.update(told(errors=errors))
    assert shown(metrics, "kafka_client_request_errors_total") == 6


def test_a_client_that_is_gone_shows_nothing_but_its_counts(metrics: Metrics) -> None:
    part = ClientMetrics(RELAY, metrics)
    part.update(told(up=2, p99=0.004))
    names = "kafka_client_brokers_up", "kafka_client_queue_messages"
    assert [shown(metrics, name) for name in names] == [2, 5]
    assert shown(metrics, "kafka_client_round_trip_seconds", percentile="99") == 0.004
    part.closed()
    assert [shown(metrics, name) for name in names] == [None, None]
    assert shown(metrics, "kafka_client_round_trip_seconds", percentile="99") is None
    assert shown(metrics, "kafka_client_request_errors_total") == 0


def test_while_nothing_is_asked_the_last_round_trip_stays(metrics: Metrics) -> None:
    part = ClientMetrics(RELAY, metrics)
    part.update(told(p99=0.004))
    part.update(told())
    assert shown(metrics, "kafka_client_round_trip_seconds", percentile="99") == 0.004


def test_a_consumer_has_what_it_fetched_and_its_rebalances_a_producer_has_not(metrics: Metrics) -> None:
    for client in (RELAY, CONSUMER):
        ClientMetrics(client, metrics).update(told(rebalances=2))
    names = "kafka_client_fetch_queue_bytes", "kafka_client_rebalances_total", "kafka_client_queue_messages"
    assert [shown(metrics, name, CONSUMER) for name in names] == [7, 2, None]
    assert [shown(metrics, name, RELAY) for name in names] == [None, None, 5]


def test_an_operation_names_its_topic_where_it_has_one(metrics: Metrics) -> None:
    part = ClientMetrics(RELAY, metrics)
    part.took("publish", {"a": 1, "b": 2}, 0.01, "")
    part.took("commit", {"a"}, 0.01, "_TIMED_OUT")
    name = "messaging_client_operation_duration_seconds_count"
    labels = {"messaging_system": "kafka", "messaging_operation_name": "publish", "error_type": ""}
    assert metrics.registry.get_sample_value(name, labels | {"messaging_destination_name": ""}) == 1
    failed = labels | {"messaging_operation_name": "commit", "error_type": "_TIMED_OUT"}
    assert metrics.registry.get_sample_value(name, failed | {"messaging_destination_name": "a"}) == 1


def test_a_batch_is_counted_as_its_values_one_by_one_are() -> None:
    seconds = [0.25, 0.5, 1.0, 2.0, 8.0, 60.0]  # exact in any order of their sum
    one_by_one, at_once = Metrics("test", "1"), Metrics("test", "1")
    for value in seconds:
        one_by_one.histogram(PUBLISH_LATENCY).labels("user.registered").observe(value)
    batches = (seconds[:2], seconds[2:])
    for batch in batches:
        at_once.latencies(PUBLISH_LATENCY).add(("user.registered", value, None) for value in batch)
    named = [
        [line for line in generate_latest(metrics.registry).decode().splitlines() if "event_publish" in line]
        for metrics in (one_by_one, at_once)
    ]
    assert len(named[0]) > len(PUBLISH_LATENCY.buckets)
    assert named[0] == named[1]


def test_of_a_batch_those_under_a_trace_are_exemplars_in_their_buckets(metrics: Metrics) -> None:
    metrics.latencies(PUBLISH_LATENCY).add([("a", 0.004, SAMPLED), ("a", 0.3, DROPPED), ("b", 90.0, SAMPLED)])
    exposition = generate_open_metrics(metrics.registry).decode()  # type: ignore[no-untyped-call]
    marked = [line.split(" ")[0] for line in exposition.splitlines() if TRACE in line]
    name = "event_publish_latency_seconds_bucket"
    assert marked == [f'{name}{{le="0.005",type="a"}}', f'{name}{{le="+Inf",type="b"}}']


def test_one_absurd_time_neither_spoils_the_mean_nor_makes_it_negative(metrics: Metrics) -> None:
    day_s = 86_400.0
    ahead, behind = seconds_since(NOW, NOW + timedelta(days=1)), seconds_since(NOW + timedelta(days=1), NOW)
    metrics.latencies(PUBLISH_LATENCY).add([("user.notice", ahead, None), ("user.notice", behind, None)])
    shown = {"type": "user.notice"}
    name = "event_publish_latency_seconds"
    assert (ahead, behind) == (day_s, 0.0)
    assert metrics.registry.get_sample_value(f"{name}_sum", shown) == pytest.approx(PUBLISH_LATENCY.buckets[-1])
    assert metrics.registry.get_sample_value(f"{name}_bucket", {**shown, "le": "60.0"}) == 1
    assert metrics.registry.get_sample_value(f"{name}_count", shown) == 2


def test_the_clock_of_the_process_is_shown_as_it_is_at_the_scrape(metrics: Metrics) -> None:
    before = time.time()
    assert before <= (metrics.registry.get_sample_value("process_clock_seconds") or 0) <= time.time()
