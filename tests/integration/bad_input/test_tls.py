"""BAD-INPUT, row TLS: wrong CA, expired certificate, host name that does not match, key that does not fit.

Not ready with the reason, never falls back to plaintext; refuses to start.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from services.chassis.kafka.admin import KafkaAdmin
from services.chassis.kafka.settings import KafkaSettings
from services.contracts.catalog import TOPICS
from services.contracts.service_list import SERVICES
from services.workbench.local.system import System, clean_environment, service
from tests.support import secure_broker as kafka
from tests.support import secure_postgres as postgresql
from tests.support.certificates import CERTIFICATES, REASONS, USER, Files, Tapped
from tests.support.readiness import Answer, ask, await_seen, environment
from tests.support.secure_broker import SecureBroker
from tests.support.secure_postgres import SecurePostgres
from tests.support.user_client import ADA

HOST = "127.0.0.1"
DEADLINE_S = 60.0
of_each_service = pytest.mark.parametrize("name", SERVICES)


class Running:
    """A service that runs, asked whether it is ready."""

    def __init__(self, name: str, settings: dict[str, str], folder: Path) -> None:
        self.name = name
        self.port, self.metrics = int(settings["APP_HTTP_PORT"]), int(settings["APP_METRICS_PORT"])
        self.system = System([service(name, settings, folder)])
        self.system.start(name)

    def await_reason(self, reason: str, status: int) -> str:
        """Wait until its readiness probe contains a phrase, and return the whole answer."""
        return await_seen(self._look, lambda seen: seen[0] == status and reason in seen[1])

    def await_ready(self) -> None:
        """Wait until nothing is missing, and end it in order."""
        await_seen(self._look, lambda seen: seen == (200, "ok\n"))
        assert self.system.stop(self.name) == {self.name: 0}

    def _look(self) -> Answer:
        self.system.require_running()
        return ask(self.metrics, "/readyz")


@contextmanager
def running(name: str, settings: dict[str, str], folder: Path) -> Iterator[Running]:
    """Run a service, and end it whatever happens."""
    service = Running(name, settings, folder)
    with service.system:
        yield service


@pytest.fixture(scope="module")
def broker(secure_broker: SecureBroker) -> SecureBroker:
    """The broker with TLS, with the catalog's topics."""
    ensure_topics(secure_broker)
    return secure_broker


@pytest.fixture(scope="module")
def unwritten_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureBroker]:
    """Another one: to a log that another store has written, an empty store publishes nothing and is not ready."""
    with kafka.running(tmp_path_factory.mktemp("unwritten-broker")) as broker:
        ensure_topics(broker)
        yield broker


def ensure_topics(broker: SecureBroker) -> None:
    """Create the catalog's topics."""
    KafkaAdmin(KafkaSettings(kafka_bootstrap_servers=broker.address("plaintext")), "test").ensure(TOPICS)


@pytest.mark.long
@of_each_service
def test_row_tls_towards_kafka(name: str, broker: SecureBroker, files: Files, tmp_path: Path) -> None:
    """Each wrong certificate in turn: reported by name, retried, nothing readable sent, ready with the right one.

    The user service works without Kafka: it stays open, and its readiness tells what is wrong all the same.
    """
    tapped = Tapped(broker.ports["wrong CA"])
    address = {"APP_KAFKA_BOOTSTRAP_SERVERS": f"localhost:{tapped.port}"}
    database = {"APP_DATABASE_URL": f"sqlite:///{tmp_path}/{name}.db"}
    settings = environment(name, **broker.settings("right", files), **database) | address
    with running(name, settings, tmp_path) as service:
        for wrong, reason in REASONS.items():
            tapped = moved(tapped, broker.ports[wrong])
            readiness = service.await_reason(reason, 200 if name == "user" else 503)
            assert "kafka: " in readiness
            assert f"localhost:{tapped.port}" in readiness
            assert_unreadable(tapped, b"confluent-kafka-python", kafka.PASSWORD)
        if name == "user":
            assert ask(service.port, "/users", ADA)[0] == 201
        tapped = moved(tapped, broker.ports["plaintext"])
        service.await_reason("no TLS with localhost", 200 if name == "user" else 503)
        assert_unreadable(tapped, b"confluent-kafka-python", kafka.PASSWORD)
        tapped = moved(tapped, broker.ports["right"])
        service.await_ready()
    tapped.close()


@pytest.mark.long
@of_each_service
def test_row_tls_towards_the_database(
    name: str, unwritten_broker: SecureBroker, secure_postgres: SecurePostgres, files: Files, tmp_path: Path
) -> None:
    """Each wrong certificate in turn, then no TLS at all: reported by name, retried, nothing readable sent."""
    tapped = Tapped(secure_postgres.port)
    database = secure_postgres.settings(files.authority, tapped.port)
    secure_postgres.show(CERTIFICATES["wrong CA"])
    settings = environment(name, **unwritten_broker.settings("right", files), **database)
    with running(name, settings, tmp_path) as service:
        for wrong, reason in REASONS.items():
            secure_postgres.show(CERTIFICATES[wrong])
            assert "start: database: " in service.await_reason(reason, 503)
        with secure_postgres.without_tls():
            service.await_reason("offers no TLS", 503)
            assert_unreadable(tapped, USER.encode(), postgresql.PASSWORD)
        secure_postgres.show(CERTIFICATES["right"])
        service.await_ready()
    assert_unreadable(tapped, USER.encode(), postgresql.PASSWORD)
    tapped.close()


def moved(tapped: Tapped, target: int) -> Tapped:
    """Return a proxy in the place of another, towards another server."""
    tapped.close()
    return Tapped(target, tapped.port)


def assert_unreadable(tapped: Tapped, name: bytes, password: str) -> None:
    """Check that bytes were sent, and neither the client's name nor a password in plain text."""
    assert tapped.spoken
    assert name not in tapped.spoken
    assert password.encode() not in tapped.spoken


@pytest.mark.parametrize("name", [*SERVICES, "console"])
def test_row_tls_key_that_does_not_fit_refuses_to_start(name: str, files: Files) -> None:
    """With everything else that is wrong, in one message, and exit code 2."""
    settings = {
        "APP_KAFKA_BOOTSTRAP_SERVERS": "localhost:1",
        "APP_KAFKA_SECURITY_PROTOCOL": "ssl",
        "APP_KAFKA_CA_FILE": "/nowhere/ca.pem",
        "APP_KAFKA_CERTIFICATE_FILE": files.certificate,
        "APP_KAFKA_KEY_FILE": files.other_key,
    }
    arguments = ["topics"] if name == "console" else []
    if name != "console":
        url = (
            f"postgresql+psycopg://a@localhost:1/b?sslmode=require&sslcert={files.certificate}&sslkey={files.other_key}"
        )
        settings = environment(name, APP_DATABASE_URL=url) | settings
    argv = [sys.executable, "-m", f"services.{name}", *arguments]
    child = clean_environment(settings)
    done = subprocess.run(argv, env=child, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    assert done.returncode == 2, done.stderr
    assert "APP_KAFKA_CA_FILE='/nowhere/ca.pem' cannot be read: No such file or directory" in done.stderr
    unfit = f"the key in {files.other_key!r} does not fit the certificate in {files.certificate!r}"
    assert f"APP_KAFKA_CERTIFICATE_FILE and APP_KAFKA_KEY_FILE: {unfit}" in done.stderr
    assert name == "console" or f"APP_DATABASE_URL: sslcert and sslkey: {unfit}" in done.stderr
