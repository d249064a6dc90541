"""Fixtures for all tests. Each store test runs on SQLite and on PostgreSQL."""

import signal
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from services.chassis.database.database import Database
from services.chassis.kafka.admin import KafkaAdmin
from services.chassis.kafka.settings import KafkaSettings
from services.contracts.catalog import TOPICS
from services.workbench.local import postgres
from services.workbench.local.broker import broker as local_broker
from services.workbench.local.free_ports import free_ports
from services.workbench.local.system import System

JARS = Path(__file__).parents[1] / ".eventline" / "kafka"
READY_S = 60.0

# No deadline: other programs share the machine. Derandomised: a run that fails, fails again.
hypothesis.settings.register_profile("eventline", deadline=None, derandomize=True, database=None)
hypothesis.settings.load_profile("eventline")


def pytest_configure() -> None:
    """Let SIGTERM end a run as Ctrl-C does: what it started, mounted and brought up is taken down again."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def pytest_report_header() -> str:
    """Say which PostgreSQL the store tests run on."""
    folder = postgres.binaries()
    return postgres.version(folder) if folder else "PostgreSQL: NOT FOUND, half of the store tests will be skipped"


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[postgres.Server]:
    """One PostgreSQL server for the whole run."""
    folder = postgres.binaries()
    if folder is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    server = postgres.Server(folder, free_ports(1)[0])
    yield server
    server.close()


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The bootstrap servers of a real broker for the whole run, with the catalog's topics."""
    port, controller = free_ports(2)
    with System([local_broker(port, controller, jars=JARS, state=tmp_path_factory.mktemp("broker"))]) as system:
        system.start("broker")
        system.wait_ready(READY_S, "broker")
        address = f"127.0.0.1:{port}"
        KafkaAdmin(KafkaSettings(kafka_bootstrap_servers=address), "tests").ensure(TOPICS)
        yield address


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database, once per kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/test.db"
    server: postgres.Server = request.getfixturevalue("postgres_server")
    return server.fresh_url()


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """An empty database, once per kind."""
    database = Database(database_url)
    yield database
    database.close()
