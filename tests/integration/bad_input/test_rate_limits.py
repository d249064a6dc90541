"""BAD-INPUT, surface HTTP: more requests than a rate limit allows."""

import http.client
from collections import Counter
from pathlib import Path

import pytest

from services.workbench.local.ports import HOST
from tests.support.user_process import Answer, UserServer, answer, refused

LIMIT = 5
OTHER_HOST = "127.0.0.2"  # every address of 127.0.0.0/8 is the loopback interface's


def ask_from(source: str, port: int, path: str) -> Answer:
    connection = http.client.HTTPConnection(HOST, port, timeout=30, source_address=(source, 0))
    try:
        connection.request("GET", path)
        return answer(connection.getresponse())
    finally:
        connection.close()


@pytest.mark.parametrize("setting", ["APP_RATE_LIMIT", "APP_RATE_LIMIT_ADDRESS"])
def test_ten_times_the_rate_limit(setting: str, tmp_path: Path) -> None:
    """Ten times the rate limit: 429 with Retry-After, others unaffected."""
    server = UserServer(f"sqlite:///{tmp_path}/user.db", tmp_path, **{setting: str(LIMIT)})
    try:
        flood = [ask_from(HOST, server.port, "/users") for _ in range(10 * LIMIT)]
        others = [ask_from(OTHER_HOST, server.port, "/users") for _ in range(LIMIT)]
        limited = [one for one in flood if one.status == 429]
        assert Counter(one.status for one in flood).keys() == {200, 429}
        assert all(refused(one, 429) for one in limited)
        assert {one.headers["retry-after"] for one in limited} == {"1"}
        assert {one.status for one in others} == {200}
    finally:
        server.close()
