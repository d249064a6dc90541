"""Fixtures for all tests. Each store test runs on SQLite and on PostgreSQL."""

import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import structlog

from services.chassis.database.database import Database
from services.chassis.telemetry import logs
from services.contracts.catalog import TOPICS
from services.workbench.local import postgres
from services.workbench.local.free_ports import free_ports
from tests.support.broker import running
from tests.support.time_box import pytest_addoption, pytest_collection_modifyitems, pytest_runtest_setup

__all__ = ("pytest_addoption", "pytest_collection_modifyitems", "pytest_runtest_setup")

# No deadline: other programs share the machine. Derandomised: a run that fails, fails again.
hypothesis.settings.register_profile("eventline", deadline=None, derandomize=True, database=None)
hypothesis.settings.load_profile("eventline")
PLAIN = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)


def pytest_configure() -> None:
    """Handle SIGTERM like Ctrl-C, so that fixtures stop the programs and unmount the volumes of the run."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def pytest_unconfigure() -> None:
    """End the process although threads of a failed test still run: Python would wait for them without a limit."""
    others = [thread for thread in threading.enumerate() if thread is not threading.main_thread()]
    left = [thread.name for thread in others if not thread.daemon]
    if left:
        sys.stderr.write(f"\nthreads that tests left running: {', '.join(left)}\n")
        sys.stderr.flush()
        sys.stdout.flush()
        os._exit(pytest.ExitCode.TESTS_FAILED)


def pytest_report_header() -> str:
    """Report the PostgreSQL version that the store tests use."""
    folder = postgres.binaries()
    return postgres.version(folder) if folder else "PostgreSQL: NOT FOUND, half of the store tests will be skipped"


@pytest.fixture(autouse=True)
def _own_logging(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Undo the logging that a command sets up in this process: later tests could capture no lines.

    Tracebacks are plain: Rich's, with the source of each frame, take seconds.
    """
    usual = structlog.configure
    usual(processors=[*structlog.get_config()["processors"][:-1], PLAIN])

    def configure(**options: Any) -> None:
        usual(**options | {"cache_logger_on_first_use": False})

    monkeypatch.setattr(structlog, "configure", configure)
    yield
    structlog.reset_defaults()
    root = logging.getLogger()
    root.handlers = [one for one in root.handlers if type(one).__module__ != logs.__name__]


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[postgres.Server]:
    """One PostgreSQL server for the session; each worker of pytest-xdist has its own."""
    folder = postgres.binaries()
    if folder is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    server = postgres.Server(folder, free_ports(1)[0])
    yield server
    server.close()


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The bootstrap servers of one broker for the session, with the topics of the catalog.

    Each worker of pytest-xdist has its own: topics and groups are numbered in each process.
    """
    with running(tmp_path_factory.mktemp("broker"), TOPICS) as (address, _):
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
