"""Errors become problem details: each exception its status, each body what RFC 9457 asks for."""

import asyncio

import httpx
import msgspec
import pytest
from litestar import get, post
from litestar.params import FromPath, JSONBody
from sqlalchemy.exc import OperationalError

from services.chassis.http.application import ApiDocument, application
from services.chassis.http.middleware import RequestTelemetry
from services.chassis.http.problems import MEDIA_TYPE, Refused
from tests.support.builders import a_telemetry


class Body(msgspec.Struct, forbid_unknown_fields=True):
    number: int


@post("/numbers", sync_to_thread=False)
def take(data: JSONBody[Body]) -> int:
    return data.number


@get("/raise/{kind:str}", sync_to_thread=False)
def fail(kind: FromPath[str]) -> None:
    raise {
        "refused": Refused(409, "taken: choose another"),
        "unreachable": OperationalError("SELECT 1", {}, ConnectionError("gone")),
        "bug": ZeroDivisionError("secret"),
    }[kind]


async def _send(method: str, path: str, content: bytes | None, headers: dict[str, str]) -> httpx.Response:
    app = RequestTelemetry(application([take, fail], ApiDocument("Test")), a_telemetry())
    transport = httpx.ASGITransport(app=app)  # type: ignore[arg-type]  # Litestar's and httpx's names for ASGI
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        return await client.request(method, path, content=content, headers=headers)


def send(method: str, path: str, content: bytes | None = None, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return asyncio.run(_send(method, path, content, {"content-type": "application/json", **named}))


def detail(response: httpx.Response, status: int) -> str:
    """Return a problem's detail, after a look at its other parts."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"].partition(";")[0] == MEDIA_TYPE
    problem = response.json()
    assert problem["status"] == status
    assert problem["title"] not in {"", "Error"}
    return str(problem["detail"])


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"number": 1}x',
        b'\xef\xbb\xbf{"number": 1}',
        b'{"number": "\xff"}',
        b'{"number": NaN}',
        b'{"number": ' + b"[" * 30_000,
        b'{"number": "\\ud8',
    ],
)
def test_what_is_no_json_is_a_bad_request(body: bytes) -> None:
    assert "JSON" in detail(send("POST", "/numbers", body), 400)


@pytest.mark.parametrize("body", [b'{"\\ud800": 1}', b'{"number": "\\uDfff"}'])
def test_half_of_a_surrogate_pair_is_no_character(body: bytes) -> None:
    assert "surrogate" in detail(send("POST", "/numbers", body), 422)


@pytest.mark.parametrize("number", [b"1e400", b"9" * 10_000])
def test_numbers_beyond_all_bounds_are_a_bad_request(number: bytes) -> None:
    assert detail(send("POST", "/numbers", b'{"number": ' + number + b"}"), 400)


@pytest.mark.parametrize("body", [b'{"number": []}', b"{}", b"[]", b'{"number": 1, "other": 2}', b"null"])
def test_json_of_another_shape_is_unprocessable(body: bytes) -> None:
    response = send("POST", "/numbers", body)
    assert detail(response, 422)
    assert response.json()["errors"]


def test_a_body_above_the_limit_is_too_large() -> None:
    assert detail(send("POST", "/numbers", b" " * 300_000), 413)


@pytest.mark.parametrize(
    "headers",
    [{"content_type": "text/plain"}, {"content_type": ""}, {"content_encoding": "gzip"}],
)
def test_bodies_in_another_form_are_not_taken(headers: dict[str, str]) -> None:
    assert "send" in detail(send("POST", "/numbers", b'{"number": 1}', **headers), 415)


def test_content_type_may_name_its_charset() -> None:
    assert send("POST", "/numbers", b'{"number": 1}', content_type="Application/JSON; charset=utf-8").json() == 1


def test_what_a_handler_refuses_keeps_its_status_and_its_words() -> None:
    assert detail(send("GET", "/raise/refused"), 409) == "taken: choose another"


def test_unknown_paths_and_methods_are_problems_too() -> None:
    assert detail(send("GET", "/nowhere"), 404)
    assert detail(send("DELETE", "/numbers"), 405)


def test_a_database_that_is_unreachable_is_reported_with_a_time_to_try_again() -> None:
    response = send("GET", "/raise/unreachable")
    assert "Idempotency-Key" in detail(response, 503)
    assert response.headers["retry-after"] == "1"


def test_a_bug_is_reported_without_its_details() -> None:
    assert "secret" not in detail(send("GET", "/raise/bug"), 500)


def test_every_answer_carries_the_clients_correlation_id_or_a_new_one() -> None:
    assert send("GET", "/nowhere", x_correlation_id="mine").headers["x-correlation-id"] == "mine"
    assert send("POST", "/numbers", b"1", content_type="x").headers["x-correlation-id"]
    for wrong in ("x" * 65, "two words", "=?utf-8?q?x=0D=0AReply-To:_evil@example.org?=", "a@example.org", ""):
        assert len(send("GET", "/nowhere", x_correlation_id=wrong).headers["x-correlation-id"]) == 36
