"""The Config rows of BAD-INPUT: what cannot be meant stops the start, what is not there yet is named and waited for."""

import http.server
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import URL, make_url

from services.contracts.service_list import PUBLISHERS, SERVICES
from services.workbench.local import postgres
from services.workbench.local.free_ports import free_ports
from services.workbench.local.ports import HOST
from services.workbench.local.processes import probe
from services.workbench.local.system import System, clean_environment, service
from services.workbench.polling import until
from tests.support.proxy import Proxy

DEADLINE_S = 60.0
of_each_service = pytest.mark.parametrize("name", SERVICES)


def start(name: str, environment: Mapping[str, str]) -> tuple[int, list[str]]:
    """Run a service that is to end at once; return its exit code and its output."""
    argv = [sys.executable, "-m", f"services.{name}"]
    done = subprocess.run(
        argv, env=clean_environment(environment), capture_output=True, text=True, timeout=DEADLINE_S, check=False
    )
    return done.returncode, done.stderr.splitlines()


def good(name: str, folder: Path, **changed: str) -> dict[str, str]:
    """Return settings that a service starts with, other ones where given."""
    port, metrics, nobody = free_ports(3)
    usual = {
        "APP_KAFKA_BOOTSTRAP_SERVERS": f"{HOST}:{nobody}",
        "APP_DATABASE_URL": f"sqlite:///{folder}/{name}.db",
        "APP_HTTP_HOST": HOST,
        "APP_HTTP_PORT": str(port),
        "APP_METRICS_PORT": str(metrics),
    }
    smtp = {"APP_SMTP_HOST": HOST} if name == "notification" else {}
    return usual | smtp | changed


def await_seen(seen: Callable[[], str | None], holds: Callable[[str | None], bool]) -> None:
    """Poll until what is seen is as wished."""
    until("the readiness", seen, holds, DEADLINE_S)


@of_each_service
def test_row_missing_empty_changeme_misspelt_without_unit_and_negative(name: str, tmp_path: Path) -> None:
    """Missing, empty, `changeme`, misspelt with our prefix, `5` for `5s`, negative: exit 2, all in one message."""
    wrong = {
        "APP_DATABASE_URL": "",
        "APP_HTTP_PROT": "80",
        "APP_DRAIN_DELAY": "5",
        "APP_LOG_LEVEL": "changeme",
        "APP_CONSUMER_BATCH": "-1",
    }
    environment = good(name, tmp_path) | wrong
    del environment["APP_KAFKA_BOOTSTRAP_SERVERS"]
    code, (head, *lines) = start(name, environment)
    assert (code, head) == (2, f"{name} cannot start:")
    assert sorted(lines) == [
        "APP_CONSUMER_BATCH='-1': is not a whole number from 1 to 1000000",
        "APP_DATABASE_URL='': is empty: give a value or remove the variable",
        "APP_DRAIN_DELAY='5': is not a duration: write a number with its unit, such as 500ms, 10s or 5m",
        "APP_HTTP_PROT is not a setting: did you mean APP_HTTP_PORT?",
        "APP_KAFKA_BOOTSTRAP_SERVERS is missing: it has no default",
        "APP_LOG_LEVEL='changeme': is a placeholder: give the real value",
    ]


@of_each_service
def test_row_contradictory(name: str, tmp_path: Path) -> None:
    """Message time-out not below the lease, poll interval below the handler's: exit 2, both in one message."""
    wrong = {"APP_KAFKA_MESSAGE_TIMEOUT": "30s", "APP_KAFKA_POLL_INTERVAL": "50s"}
    code, (_, *lines) = start(name, good(name, tmp_path) | wrong)
    lease = "APP_KAFKA_MESSAGE_TIMEOUT (0:00:30), APP_RELAY_LEASE (0:00:20): "
    poll = "APP_KAFKA_POLL_INTERVAL (0:00:50), 0:00:50 for a batch "
    expected = [lease, poll] if name in PUBLISHERS else [poll]  # only publishers have a relay
    assert code == 2
    assert len(lines) == len(expected)
    for line, start_of_line in zip(sorted(lines), expected, strict=True):
        assert line.startswith(start_of_line)


class Running:
    """A service of which the probe is asked."""

    def __init__(self, name: str, environment: dict[str, str], folder: Path) -> None:
        self.system = System([service(name, environment, folder)])
        self._port = int(environment["APP_METRICS_PORT"])

    def readiness(self) -> str | None:
        """Return None when it is ready, else the probe's answer."""
        self.system.require_running()
        return probe(HOST, self._port, "/readyz")

    def await_report(self, *phrases: str) -> None:
        """Wait until it is not ready for a reason of these words."""
        await_seen(self.readiness, lambda seen: seen is not None and all(word in seen for word in phrases))

    def await_ready(self) -> None:
        """Wait until it is ready."""
        await_seen(self.readiness, lambda seen: seen is None)


def execute(url: URL, *statements: str) -> list[tuple[object, ...]]:
    """Run statements on a PostgreSQL; return the rows of the last."""
    target = url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(target, autocommit=True) as connection:
        for statement in statements:
            cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def ask_for_passwords(url: URL, role: str) -> None:
    """Let the server ask a role for its password; all others are trusted."""
    [[file]] = execute(url, "SHOW hba_file")
    rules = Path(str(file))
    rules.write_text(f"host all {role} 127.0.0.1/32 scram-sha-256\n{rules.read_text()}")
    execute(url, "SELECT pg_reload_conf()")


def test_row_wrong_password(postgres_server: postgres.Server, tmp_path: Path) -> None:
    """Wrong password: not ready with the reason, retries, and is ready once the password is corrected."""
    url = make_url(postgres_server.fresh_url())
    execute(url, "CREATE ROLE careful LOGIN PASSWORD 'another'", f"ALTER DATABASE {url.database} OWNER TO careful")
    ask_for_passwords(url, "careful")
    own = url.set(username="careful", password="own").render_as_string(hide_password=False)  # noqa: S106  # of this test
    running = Running("user", good("user", tmp_path, APP_DATABASE_URL=own), tmp_path)
    with running.system:
        running.system.start("user")
        running.await_report("start: database: ", "password authentication failed")
        execute(url, "ALTER ROLE careful PASSWORD 'own'")
        running.await_ready()


class Something(http.server.BaseHTTPRequestHandler):
    """A server that is no broker; it answers at once, since a client waits 10 s for a silent one."""

    def handle(self) -> None:
        """Answer whatever comes."""
        self.wfile.write(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")

    def log_message(self, *_: object) -> None:
        """Send nothing."""


@pytest.fixture
def web() -> Iterator[http.server.ThreadingHTTPServer]:
    server = http.server.ThreadingHTTPServer((HOST, 0), Something)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.long  # it waits for time-outs
@pytest.mark.parametrize("name", ["notification", "audit"])
def test_row_broker_address_that_answers_something_else(
    name: str, web: http.server.ThreadingHTTPServer, broker: str, tmp_path: Path
) -> None:
    """A broker address that answers something else: not ready with the reason, retries, ready once it is a broker."""
    address = {"APP_KAFKA_BOOTSTRAP_SERVERS": f"{HOST}:{web.server_port}", "APP_KAFKA_REQUEST_TIMEOUT": "2s"}
    running = Running(name, good(name, tmp_path, **address), tmp_path)
    with running.system:
        running.system.start(name)
        running.await_report("is it a Kafka broker")
        web.shutdown()
        web.server_close()
        proxy = Proxy(int(broker.rpartition(":")[2]), web.server_port)
        try:
            running.await_ready()
            assert running.system.stop(name) == {name: 0}
        finally:
            proxy.close()
