"""A user service of its own process that bad input is sent to, once per kind of database."""

from collections.abc import Iterator

import pytest

from tests import postgres
from tests.http_server import UserServer


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
