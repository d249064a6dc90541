"""Fixtures for all tests. Each store test runs on SQLite and on PostgreSQL."""

import socket
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from services.chassis.database import Database
from tests import postgres

# No deadline: other programs share the machine. Derandomised: a run that fails, fails again.
hypothesis.settings.register_profile("eventline", deadline=None, derandomize=True, database=None)
hypothesis.settings.load_profile("eventline")


def pytest_report_header() -> str:
    """Say which PostgreSQL the store tests run on."""
    folder = postgres.binaries()
    return postgres.version(folder) if folder else "PostgreSQL: NOT FOUND, half of the store tests will be skipped"


@pytest.fixture(scope="session")
def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def postgres_server(free_port: int) -> Iterator[postgres.Server]:
    """One PostgreSQL server for the whole run."""
    folder = postgres.binaries()
    if folder is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    server = postgres.Server(folder, free_port)
    yield server
    server.close()


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
