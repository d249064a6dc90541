"""A user service of its own process with authentication: its readiness, its log, its keys and the rate of a caller."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from services.chassis.http.auth.tokens import REFUSED
from services.workbench.local.free_ports import free_ports
from services.workbench.polling import until
from tests.support.issuer import AUDIENCE, ISSUER, PRIVATE, KeyServer, a_token, bearer, public_jwk
from tests.support.user_process import UserServer, a_person, ask

READ, WRITE = a_token("read"), a_token("write")


@contextmanager
def user_service(folder: Path, **settings: str) -> Iterator[UserServer]:
    server = UserServer(f"sqlite:///{folder}/user.db", folder, **settings)
    try:
        yield server
    finally:
        server.close()


def protected(keys: KeyServer, **more: str) -> dict[str, str]:
    names = {"APP_AUTH_JWKS_URL": keys.url, "APP_AUTH_ISSUER": ISSUER, "APP_AUTH_AUDIENCE": AUDIENCE}
    return {"APP_AUTH": "jwt"} | names | more


def post(server: UserServer, token: str) -> int:
    return server.post(a_person(), bearer(token)).status


def test_a_service_takes_tokens_and_the_reason_of_a_refusal_is_in_its_log_only(tmp_path: Path) -> None:
    with KeyServer() as keys, user_service(tmp_path, **protected(keys)) as server:
        assert post(server, WRITE) == 201
        assert (post(server, READ), server.rows()["users"]) == (403, 1)
        refused = server.post(a_person(), bearer(a_token("write", aud="somebody-else")))
        assert (refused.status, b"udience" in refused.body) == (401, False)
        log = (tmp_path / "user.log").read_text()
        assert "InvalidAudienceError" in log
        assert '"subject": "ada"' in log.replace('":"', '": "')
        assert WRITE not in log
        assert keys.reads == 1


def test_tokens_are_counted_by_what_became_of_them(tmp_path: Path) -> None:
    (metrics,) = free_ports(1)
    with KeyServer() as keys, user_service(tmp_path, **protected(keys, APP_METRICS_PORT=str(metrics))) as server:
        for token in (READ, READ, a_token("nobody"), a_token("read", aud="somebody-else"), "no token"):
            server.send("GET", "/users", headers=bearer(token))
        server.send("GET", "/users")
        lines = ask(metrics, "GET", "/metrics", None, {}).body.decode().splitlines()
    counted = dict(line.split() for line in lines if line.startswith("http_server_tokens_total{"))
    seen = {"accepted": "2.0", "no_role": "1.0", "audience": "1.0", "malformed": "1.0"}
    outcomes = {"accepted", "no_role", *REFUSED}  # each from the start, so that Prometheus sees a first rise
    assert counted == {
        f'http_server_tokens_total{{outcome="{outcome}"}}': seen.get(outcome, "0.0") for outcome in outcomes
    }


def test_a_new_key_is_accepted_and_a_withdrawn_one_refused_without_a_restart(tmp_path: Path) -> None:
    with KeyServer() as keys:
        keys.keys = [public_jwk("ES256", PRIVATE["ES256"])]
        with user_service(tmp_path, **protected(keys)) as server:
            assert post(server, a_token("write", algorithm="ES256")) == 201
            keys.keys = [public_jwk("EdDSA", PRIVATE["EdDSA"])]
            until("the new key is accepted", lambda: post(server, WRITE), (201).__eq__)
            assert post(server, a_token("write", algorithm="ES256")) == 401
            assert keys.reads <= 3


def test_a_caller_has_a_rate_of_its_own(tmp_path: Path) -> None:
    with KeyServer() as keys, user_service(tmp_path, **protected(keys, APP_RATE_LIMIT="2")) as server:
        statuses = [server.send("GET", "/users", headers=bearer(READ)).status for _ in range(20)]
        other = server.send("GET", "/users", headers=bearer(a_token("read", sub="grace"))).status
    assert set(statuses) == {200, 429}
    assert other == 200


def test_a_service_that_others_can_reach_warns_at_each_start(tmp_path: Path) -> None:
    with user_service(tmp_path, APP_HTTP_HOST="0.0.0.0", APP_AUTH_UNPROTECTED="yes") as server:  # noqa: S104
        assert server.send("GET", "/users").status == 200
        assert "the API has no authentication" in (tmp_path / "user.log").read_text()
