"""The probes' port serves health and metrics."""

import contextlib
import http.client
import socket
from collections.abc import Iterator
from itertools import cycle

import pytest

from services.chassis.net.sockets import AddressError
from services.chassis.process.probes import Probes
from services.chassis.telemetry.telemetry import Telemetry
from services.workbench.local.free_ports import free_ports
from services.workbench.local.ports import HOST
from tests.support.builders import a_telemetry


@pytest.fixture
def instruments() -> Telemetry:
    return a_telemetry()


@pytest.fixture
def port(instruments: Telemetry) -> Iterator[int]:
    port = free_ports(1)[0]
    probes = Probes(HOST, port, instruments.health, instruments.metrics)
    yield port
    probes.close()


def get(port: int, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection(HOST, port, timeout=5)
    connection.request("GET", path)
    response = connection.getresponse()
    answer = response.status, response.read().decode()
    connection.close()
    return answer


def test_a_service_that_starts_is_alive_but_neither_started_nor_ready(port: int) -> None:
    assert get(port, "/livez") == (200, "ok\n")
    assert get(port, "/startupz") == (503, "not started yet\n")
    assert get(port, "/readyz") == (503, "start: not started yet\n")


def test_what_is_missing_is_reported_a_line_each(port: int, instruments: Telemetry) -> None:
    instruments.health.has("start")
    assert get(port, "/readyz") == get(port, "/startupz") == (200, "ok\n")
    instruments.health.lacks("smtp", "refused")
    instruments.health.lacks("database", "timed out")
    assert get(port, "/readyz") == (503, "smtp: refused\ndatabase: timed out\n")
    assert get(port, "/startupz") == (200, "ok\n")


def test_metrics_are_served_with_what_runs_here(port: int) -> None:
    status, text = get(port, "/metrics")
    assert status == 200
    assert 'app_build_info{service="test",version="' in text
    assert "_created" not in text


def test_what_a_service_does_without_is_reported_with_its_readiness(port: int, instruments: Telemetry) -> None:
    instruments.health.has("start")
    instruments.health.lacks("kafka", "refused", needed=False)
    assert get(port, "/readyz") == (200, "ok\nkafka: refused\n")
    assert get(port, "/startupz") == (200, "ok\n")


def test_other_paths_are_not_found(port: int) -> None:
    assert get(port, "/")[0] == 404


def test_a_taken_port_is_named_with_its_setting(port: int, instruments: Telemetry) -> None:
    with pytest.raises(AddressError, match=rf"127\.0\.0\.1:{port}: another process .* APP_METRICS_PORT"):
        Probes(HOST, port, instruments.health, instruments.metrics)


def test_connections_that_send_no_request_are_closed_and_the_port_answers(instruments: Telemetry) -> None:
    port = free_ports(1)[0]
    probes = Probes(HOST, port, instruments.health, instruments.metrics, request_s=0.2)
    sent = (b"", b"GET /metr", b"GET /metrics HTTP/1.1\r\nHost: x\r\n")
    with contextlib.ExitStack() as stack:
        stack.callback(probes.close)
        idle = [stack.enter_context(socket.create_connection((HOST, port), timeout=5)) for _ in range(150)]
        for connection, head in zip(idle, cycle(sent), strict=False):
            with contextlib.suppress(ConnectionError):  # above the limit the oldest are closed at once
                connection.sendall(head)
        assert get(port, "/livez") == (200, "ok\n")
        for connection in idle:
            with contextlib.suppress(ConnectionError):
                assert connection.recv(1000) == b"", "it is closed without an answer"
