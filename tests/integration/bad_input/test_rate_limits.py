"""BAD-INPUT, surface HTTP: more requests than a rate limit allows."""

import http.client
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest

from services.console.tokens.issuer import new_key, read_key
from services.workbench.local.ports import HOST
from tests.support.user_process import Answer, UserServer, answer, refused

LIMIT = 5
OTHER_HOST = "127.0.0.2"  # every address of 127.0.0.0/8 is the loopback interface's


def ask_from(source: str, port: int, path: str, token: str = "") -> Answer:
    connection = http.client.HTTPConnection(HOST, port, timeout=30, source_address=(source, 0))
    try:
        connection.request("GET", path, headers={"Authorization": f"Bearer {token}"} if token else {})
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


def test_ten_times_the_rate_limit_of_a_tokens_subject(tmp_path: Path) -> None:
    """Ten times the rate limit: 429 with Retry-After, others at the same address unaffected."""
    private, public = new_key(tmp_path / "issuer")
    issuer = read_key(private, "https://issuer.example.org", "eventline")
    flooding, other = (issuer.token(name, ["read"], timedelta(minutes=10)) for name in ("support-7", "support-8"))
    server = UserServer(
        f"sqlite:///{tmp_path}/user.db",
        tmp_path,
        APP_AUTH="jwt",
        APP_AUTH_JWKS_FILE=str(public),
        APP_AUTH_ISSUER=issuer.issuer,
        APP_AUTH_AUDIENCE=issuer.audience,
        APP_RATE_LIMIT=str(LIMIT),
    )
    try:
        flood = Counter(ask_from(HOST, server.port, "/users", flooding).status for _ in range(10 * LIMIT))
        others = Counter(ask_from(HOST, server.port, "/users", other).status for _ in range(LIMIT))
        assert flood.keys() == {200, 429}
        assert others == {200: LIMIT}
    finally:
        server.close()


def test_bad_tokens_above_the_rate_limit_of_an_address_are_not_verified(tmp_path: Path) -> None:
    """Ten times the rate limit with tokens of no issuer: 429 after the limit, in the place of 401."""
    _, public = new_key(tmp_path / "issuer")
    server = UserServer(
        f"sqlite:///{tmp_path}/user.db",
        tmp_path,
        APP_AUTH="jwt",
        APP_AUTH_JWKS_FILE=str(public),
        APP_AUTH_ISSUER="https://issuer.example.org",
        APP_AUTH_AUDIENCE="eventline",
        APP_RATE_LIMIT_ADDRESS=str(LIMIT),
    )
    try:
        flood = Counter(ask_from(HOST, server.port, "/users", "a.b.c").status for _ in range(10 * LIMIT))
        assert flood.keys() == {401, 429}
        assert flood[429] > flood[401]
    finally:
        server.close()
