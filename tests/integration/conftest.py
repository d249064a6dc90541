"""Fixtures of several folders: a user service as the target of bad input, servers with TLS, a Kubernetes API server."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from services.workbench.local import postgres
from services.workbench.local.free_ports import free_ports
from tests.support.api_server import ApiServer, serving
from tests.support.certificates import Files, client_files
from tests.support.secure_broker import SecureBroker, running
from tests.support.secure_postgres import SecurePostgres
from tests.support.user_process import UserServer


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def user_server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[UserServer]:
    folder = tmp_path_factory.mktemp("user")
    url = f"sqlite:///{folder}/user.db"
    if request.param == "postgresql":
        running: postgres.Server = request.getfixturevalue("postgres_server")
        url = running.fresh_url()
    server = UserServer(url, folder)
    yield server
    server.close()


@pytest.fixture
def untouched(user_server: UserServer) -> Iterator[UserServer]:
    """A server of which nothing may be changed by what the test sends, and which serves the next request."""
    before = user_server.rows()
    yield user_server
    assert user_server.rows() == before
    assert user_server.send("GET", "/users?limit=1").status == 200


@pytest.fixture
def api_server(tmp_path: Path) -> Iterator[ApiServer]:
    """An API server with no Secret, for the service account in the test's folder."""
    with serving(tmp_path) as server:
        yield server


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """The files of a client with TLS."""
    return client_files(tmp_path_factory.mktemp("client"))


@pytest.fixture(scope="session")
def secure_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureBroker]:
    """One broker with TLS and login for the whole run, without topics."""
    with running(tmp_path_factory.mktemp("secure-broker")) as broker:
        yield broker


@pytest.fixture(scope="session")
def secure_postgres() -> Iterator[SecurePostgres]:
    """One PostgreSQL with TLS for the whole run."""
    folder = postgres.binaries()
    if folder is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    server = SecurePostgres(folder, free_ports(1)[0])
    yield server
    server.close()
