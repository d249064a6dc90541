"""Rate limits: what a bucket grants, how much it remembers, and whose bucket a request takes from."""

import asyncio
from typing import Any

import httpx
import pytest
from prometheus_client import Counter, generate_latest

from services.chassis.http.auth.caller import Caller, set_caller
from services.chassis.http.rate_limits import Buckets, Key, RateLimit, by_address, by_caller, limited
from services.chassis.http.settings import HttpSettings, Rate
from services.chassis.settings.environment import SettingsError, load
from services.chassis.telemetry.metrics.registry import Metrics
from services.chassis.telemetry.metrics.serving import RATE_LIMITED

SLOW = Rate(limit=2, burst=3)


async def ok(_scope: Any, _receive: Any, send: Any) -> None:  # ASGI's own
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def granted(buckets: Buckets, key: str, *moments: float) -> list[bool]:
    return [buckets.take(key, moment) == 0 for moment in moments]


def a_scope(address: str, subject: str = "") -> Any:  # ASGI's own
    scope: dict[str, Any] = {"type": "http", "client": (address, 4711)}
    if subject:
        set_caller(scope, Caller(subject, frozenset()))
    return scope


def answers(app: Any, number: int) -> list[httpx.Response]:  # Litestar's and httpx's names for ASGI
    async def exchange() -> list[httpx.Response]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://test") as client:
            return [await client.get("/") for _ in range(number)]

    return asyncio.run(exchange())


def test_a_burst_is_granted_at_once_and_then_a_request_per_interval() -> None:
    buckets = Buckets(SLOW)
    assert granted(buckets, "ada", *[10.0] * 5) == [True, True, True, False, False]
    assert granted(buckets, "ada", 10.4, 10.5, 10.6, 11.0) == [False, True, False, True]


def test_a_bucket_does_not_fill_above_its_burst() -> None:
    buckets = Buckets(SLOW)
    granted(buckets, "ada", 10.0)
    assert granted(buckets, "ada", *[1000.0] * 4) == [True, True, True, False]


def test_a_refused_request_takes_nothing_and_gets_the_time_until_the_next_token() -> None:
    buckets = Buckets(SLOW)
    granted(buckets, "ada", *[10.0] * 3)
    assert [buckets.take("ada", moment) for moment in (10.0, 10.0, 10.25)] == [0.5, 0.5, 0.25]


def test_keys_do_not_share_a_bucket() -> None:
    buckets = Buckets(SLOW)
    granted(buckets, "ada", *[10.0] * 9)
    assert granted(buckets, "bob", *[10.0] * 3) == [True] * 3


def test_ten_times_the_limit_gets_the_limit() -> None:
    buckets = Buckets(Rate(100, 100))
    moments = [number / 1000 for number in range(10_000)]
    assert sum(granted(buckets, "ada", *moments)) == pytest.approx(1100, abs=1)


def test_the_least_recently_used_bucket_leaves() -> None:
    buckets = Buckets(SLOW, most=2)
    granted(buckets, "ada", *[10.0] * 3)
    granted(buckets, "bob", *[10.0] * 3)
    granted(buckets, "ada", 10.0)
    granted(buckets, "eve", 10.0)
    assert len(buckets) == 2
    assert granted(buckets, "ada", 10.0) == [False]
    assert granted(buckets, "bob", 10.0) == [True]


def test_a_limit_of_none_adds_no_middleware() -> None:
    unlimited = HttpSettings().caller_rate
    assert limited(ok, unlimited, by_caller, Counter("refused", "", registry=None)) is ok


def test_a_refusal_is_a_problem_with_retry_after_and_is_counted_without_its_caller() -> None:
    metrics = Metrics("user", "1")
    app = RateLimit(ok, Rate(limit=1, burst=2), by_caller, metrics.counter(RATE_LIMITED).labels("caller"))
    *accepted, refused = answers(app, 3)
    assert [answer.status_code for answer in accepted] == [204, 204]
    assert (refused.status_code, refused.headers["content-type"]) == (429, "application/problem+json")
    assert refused.headers["retry-after"] == "1"
    assert refused.json()["title"] == "Too Many Requests"
    assert b'http_server_rate_limited_total{limit="caller"} 1.0' in generate_latest(metrics.registry)


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("fe80::1%eth0", "fe80::/64"),
        ("socket", "socket"),
    ],
)
def test_an_address_of_ipv6_counts_with_its_network(address: str, key: str) -> None:
    assert by_address(a_scope(address)) == key


@pytest.mark.parametrize(
    ("by", "subject", "key"),
    [
        (by_caller, "ada", "ada"),
        (by_caller, "", "\x00192.0.2.7"),
        (by_caller, "192.0.2.7", "192.0.2.7"),
        (by_address, "ada", "192.0.2.7"),
    ],
)
def test_a_caller_is_its_subject_and_without_authentication_its_address(by: Key, subject: str, key: str) -> None:
    assert by(a_scope("192.0.2.7", subject)) == key


def test_a_connection_without_an_address_has_one_bucket() -> None:
    assert by_address({"type": "http", "client": None}) == ""  # type: ignore[arg-type]


def test_a_burst_is_as_large_as_the_limit_unless_given() -> None:
    settings = load(HttpSettings, {"APP_RATE_LIMIT": "5", "APP_RATE_LIMIT_ADDRESS": "7", "APP_RATE_BURST_ADDRESS": "9"})
    assert (settings.caller_rate, settings.address_rate) == (Rate(5, 5), Rate(7, 9))


def test_a_burst_without_its_limit_is_refused() -> None:
    with pytest.raises(SettingsError, match="APP_RATE_BURST_ADDRESS is 9 without APP_RATE_LIMIT_ADDRESS"):
        load(HttpSettings, {"APP_RATE_LIMIT": "5", "APP_RATE_BURST_ADDRESS": "9"})
