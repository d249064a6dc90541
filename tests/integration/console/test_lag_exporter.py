"""`console probe` and `console topics` as processes: lag while nobody consumes, a broker that is waited for."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from services.chassis.messages.record import Outgoing
from services.contracts.catalog import TOPICS, USER_EVENTS
from services.workbench.local.free_ports import free_ports
from services.workbench.local.ports import HOST
from services.workbench.local.processes import Process, Program, probe
from services.workbench.local.system import clean_environment
from tests.support.broker import ensure, running, write_dated
from tests.support.certificates import USER, Files
from tests.support.console_process import argv, console
from tests.support.proxy import Proxy
from tests.support.readiness import ask, await_seen
from tests.support.secure_broker import SecureBroker

pytestmark = pytest.mark.long

READY_S = 60.0
Start = Callable[..., tuple[Process, int]]
LABELS = '{messaging_consumer_group_name="audit",messaging_destination_name="user.events.v1"}'


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a lag probe towards a broker; it is killed if it is still there at the end."""
    started: list[Process] = []

    def begin(address: str, **more: str) -> tuple[Process, int]:
        port = free_ports(1)[0]
        variables = {"APP_KAFKA_BOOTSTRAP_SERVERS": address, "APP_METRICS_PORT": str(port), "APP_HTTP_HOST": HOST}
        variables |= {"APP_PROBE_EVERY": "200ms", "APP_KAFKA_REQUEST_TIMEOUT": "2s"} | more
        environment = clean_environment(variables)
        ready = lambda: probe(HOST, port, "/readyz")  # noqa: E731
        started.append(Process(Program("probe", argv("probe"), environment, tmp_path / "probe.log", ready)))
        return started[-1], port

    yield begin
    for process in started:
        process.kill()


def value(metrics: str, series: str) -> float | None:
    """Return what a series shows."""
    found = (line.rpartition(" ")[2] for line in metrics.splitlines() if line.startswith(f"{series} "))
    return next((float(text) for text in found), None)


def test_the_lag_is_shown_while_nobody_consumes_and_the_probe_ends_in_order(broker: str, start: Start) -> None:
    write_dated(broker, 1_000, Outgoing(USER_EVENTS.name, b"key", b"{}", []))
    process, port = start(broker)
    process.wait_ready(READY_S)
    _, metrics = ask(port, "/metrics")
    assert (value(metrics, f"consumer_lag_records{LABELS}") or 0) >= 1
    assert (value(metrics, f"consumer_lag_seconds{LABELS}") or 0) >= 1
    assert [ask(port, path)[0] for path in ("/livez", "/startupz")] == [200, 200]
    process.ask_to_stop()
    assert process.wait_end(READY_S) == 0


def test_a_probe_that_cannot_ask_the_broker_is_alive_not_ready_reports_why_and_goes_on(
    broker: str, start: Start
) -> None:
    free = free_ports(1)[0]
    process, port = start(f"{HOST}:{free}")
    output = await_seen(lambda: ask(port, "/readyz"), lambda seen: seen[0] == 503 and "refused" in seen[1])
    assert "kafka: " in output
    assert ask(port, "/livez")[0] == 200
    metrics = await_seen(
        lambda: ask(port, "/metrics"), lambda seen: (value(seen[1], "lag_probe_failures_total") or 0) >= 2
    )
    assert "consumer_lag_records{" not in metrics
    with closing(Proxy(int(broker.rpartition(":")[2]), free)):
        process.wait_ready(READY_S)
        process.ask_to_stop()
        assert process.wait_end(READY_S) == 0


def test_a_broker_that_was_killed_is_asked_again_when_it_is_back(start: Start, tmp_path: Path) -> None:
    with running(tmp_path / "broker", TOPICS) as (address, system):
        process, metrics_port = start(address)
        process.wait_ready(READY_S)
        system.kill("broker")
        await_seen(lambda: ask(metrics_port, "/readyz"), lambda seen: seen[0] == 503)
        system.start("broker")
        process.wait_ready(READY_S)
        assert "consumer_group_members{" in ask(metrics_port, "/metrics")[1]


def test_a_probe_whose_port_is_taken_reports_so_with_the_code_of_its_kind(broker: str, start: Start) -> None:
    _, port = start(broker)
    await_seen(lambda: ask(port, "/livez"), lambda seen: seen[0] == 200)
    code, output = console({"APP_KAFKA_BOOTSTRAP_SERVERS": broker, "APP_METRICS_PORT": str(port)}, "probe")
    assert code == 3, output
    assert "APP_METRICS_PORT" in output


def test_topics_waits_for_a_broker_that_comes(broker: str) -> None:
    free = free_ports(1)[0]
    settings = {"APP_KAFKA_BOOTSTRAP_SERVERS": f"{HOST}:{free}", "APP_KAFKA_REQUEST_TIMEOUT": "1s"}
    environment = clean_environment(settings)
    with subprocess.Popen(
        argv("topics"), env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        assert child.stderr
        assert child.stdout
        waiting = child.stderr.readline()
        with closing(Proxy(int(broker.rpartition(":")[2]), free)):
            output = child.stdout.read()
    assert (child.returncode, output) == (0, "created: nothing, all topics are there\n")
    assert waiting.startswith("waiting: ")
    assert "Connection refused" in waiting


def test_topics_reports_what_is_wrong_with_a_brokers_certificate(secure_broker: SecureBroker, files: Files) -> None:
    variables = secure_broker.settings("expired", files) | {"APP_DEADLINE": "1s", "APP_KAFKA_REQUEST_TIMEOUT": "2s"}
    code, output = console(variables, "topics")
    assert code == 4, output
    assert "certificate has expired" in output
    assert "Traceback" not in output


def test_topics_and_lag_work_over_tls(secure_broker: SecureBroker, files: Files) -> None:
    variables = secure_broker.settings("right", files)
    code, output = console(variables, "topics")
    assert code == 0, output
    await_seen(lambda: console(variables, "lag"), lambda seen: seen[0] == 0)  # known a moment later


@pytest.mark.parametrize(("kind", "missing"), [("GROUP", "DESCRIBE"), ("TOPIC", "READ")])
def test_row_rights_of_the_lag_exporter(
    kind: str, missing: str, secure_broker: SecureBroker, files: Files, start: Start
) -> None:
    """Denied from the start, granted late, taken, and given back; the numbers of records need no right to read."""
    name, left = ("audit", "DESCRIBE_CONFIGS") if kind == "GROUP" else (USER_EVENTS.name, "DESCRIBE")
    reason = f"user {USER} needs the right {missing} on {kind.lower()} {name}: `console rights` grants it"
    ensure(secure_broker.address("plaintext"), TOPICS)
    variables = secure_broker.settings("right", files)
    with secure_broker.only(left, kind, name):
        process, port = start(variables.pop("APP_KAFKA_BOOTSTRAP_SERVERS"), **variables)
        await_seen(lambda: ask(port, "/readyz"), lambda seen: seen[0] == 503 and reason in seen[1])
        assert (value(ask(port, "/metrics")[1], f"consumer_lag_records{LABELS}") is None) == (kind == "GROUP")
    process.wait_ready(READY_S)
    with secure_broker.only(left, kind, name):
        await_seen(lambda: ask(port, "/readyz"), lambda seen: seen[0] == 503 and reason in seen[1])
    process.wait_ready(READY_S)
