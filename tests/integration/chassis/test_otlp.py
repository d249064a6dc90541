"""Spans sent to a real collector: export, sampling, and an unreachable collector."""

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import closing

import pytest
import structlog

from services.chassis.messages.traceparent import is_sampled, trace_id
from services.chassis.settings.environment import SettingsError
from services.chassis.telemetry.tracing import OFF, Tracing, Work, tracing
from services.workbench.local.free_ports import free_ports
from tests.support.otlp_collector import Collector, collecting

SAMPLED = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
UNSAMPLED = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"
WORK = Work("work", "consumer", {"messaging.system": "kafka", "messaging.kafka.offset": 3})
MANY = 2000


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as collector:
        yield collector


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    yield
    logging.getLogger("opentelemetry").handlers = [logging.NullHandler()]  # what is still being tried is nobody's now


def made(address: str, monkeypatch: pytest.MonkeyPatch, variables: Mapping[str, str] = {}) -> Tracing:
    """Return what an environment asks for; OpenTelemetry reads the process's own."""
    environment = {"OTEL_EXPORTER_OTLP_ENDPOINT": address, **variables}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return tracing("user", environment)


def test_spans_arrive_with_parent_links_attributes_and_errors(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(made(collector.address, monkeypatch)) as spans:
        child = spans.start(WORK, SAMPLED)
        child.note({"http.route": "/users"}, "work done")
        child.end("ValueError")
        spans.start(Work("join", "client"), None, [SAMPLED, UNSAMPLED]).end()
    join, work = sorted(collector.spans(), key=lambda span: span.name)
    assert (work.service, work.name, work.kind, work.failed) == ("user", "work done", "consumer", True)
    assert f"00-{work.trace}-{work.parent}-01" == SAMPLED
    assert f"00-{work.trace}-{work.id}-01" == child.traceparent
    assert work.attributes == {**WORK.attributes, "http.route": "/users", "error.type": "ValueError"}
    assert [f"00-{trace}-{span}" for trace, span in join.links] == [SAMPLED[:-3], UNSAMPLED[:-3]]
    assert (join.parent, join.failed, join.trace in (SAMPLED, UNSAMPLED)) == ("", False, False)


def test_one_new_trace_in_fifty_is_recorded_and_what_came_from_outside_is_followed(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(made(collector.address, monkeypatch)) as spans:
        roots = [spans.start(WORK, None) for _ in range(MANY)]
        assert 0.005 < sum(is_sampled(root.traceparent) for root in roots) / MANY < 0.05
        assert len({trace_id(root.traceparent) for root in roots}) == MANY
        assert is_sampled(spans.start(WORK, SAMPLED).traceparent)
        assert not is_sampled(spans.start(WORK, UNSAMPLED).traceparent)


def test_opentelemetrys_own_variables_keep_their_meaning(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    variables = {
        "OTEL_TRACES_SAMPLER": "always_on",
        "OTEL_SERVICE_NAME": "another",
        "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
    }
    with closing(made(collector.address, monkeypatch, variables)) as spans:
        for _ in range(20):
            spans.start(WORK, UNSAMPLED).end()
    assert [span.service for span in collector.spans()] == ["another"] * 20


def test_nothing_is_made_where_opentelemetry_is_configured_off(monkeypatch: pytest.MonkeyPatch) -> None:
    for variables in ({"OTEL_SDK_DISABLED": "true"}, {"OTEL_TRACES_EXPORTER": "none"}):
        assert made("http://127.0.0.1:1", monkeypatch, variables) is OFF


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "OTEL_EXPORTER_OTLP_PROTOCOL='grpc': only http/protobuf"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4318"}, "ENDPOINT='collector:4318': give an address such as http"),
    ],
)
def test_what_the_exporter_cannot_do_stops_the_start(variables: Mapping[str, str], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        tracing("user", {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", **variables})


@pytest.mark.parametrize("answers", [True, False])
def test_a_collector_that_is_unreachable_costs_a_line_now_and_then_and_a_bounded_stop(
    collector: Collector, monkeypatch: pytest.MonkeyPatch, *, answers: bool
) -> None:
    collector.refusing = True
    address = collector.address if answers else f"http://127.0.0.1:{free_ports(1)[0]}"
    with structlog.testing.capture_logs() as lines:
        spans = made(address, monkeypatch, {"OTEL_BSP_SCHEDULE_DELAY": "10", "OTEL_TRACES_SAMPLER": "always_on"})
        for _ in range(MANY * 2):  # more than its queue takes
            spans.start(WORK, SAMPLED).end()
        started = time.monotonic()
        spans.close()
        took = time.monotonic() - started
    assert took < 10
    assert [line["event"] for line in lines] == ["traces are not exported"]
    assert lines[0]["reason"]
