"""Around every request: what is read of its head, its span, its line, and what the handlers are given."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import msgspec
import pytest
from litestar import Request, get
from litestar.params import FromPath
from structlog.testing import capture_logs
from structlog.typing import EventDict

from services.chassis.http.application import ApiDocument, application
from services.chassis.http.middleware import RequestTelemetry
from services.chassis.telemetry import tracing
from tests.support.builders import Recorded, Recording, a_telemetry

GIVEN = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class DatabaseObserver(msgspec.Struct):
    """The scope that a handler gets."""

    traceparent: str | None
    current: str | None


@get("/seen/{name:str}", sync_to_thread=False)
def seen(name: FromPath[str], request: Request[Any, Any, Any]) -> DatabaseObserver:
    if name == "broken":
        raise ZeroDivisionError
    return DatabaseObserver(dict(request.scope)["traceparent"], tracing.current())  # type: ignore[arg-type]


def send(path: str, made: tracing.Tracing, **headers: str) -> tuple[httpx.Response, list[EventDict]]:
    app = RequestTelemetry(
        application([seen], ApiDocument("Test")), msgspec.structs.replace(a_telemetry(), tracing=made)
    )
    transport = httpx.ASGITransport(app=app)  # type: ignore[arg-type]  # Litestar's and httpx's names for ASGI

    async def exchange() -> httpx.Response:
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.get(path, headers=headers)

    with capture_logs() as lines:
        answer = asyncio.run(exchange())
    return answer, lines


def test_a_request_has_one_line_with_its_route_and_what_came_of_it() -> None:
    answer, lines = send("/seen/ada", tracing.OFF, **{"x-correlation-id": "c-1"})
    (line,) = lines
    assert line.pop("duration_ms") >= 0
    assert line == {
        "event": "request",
        "log_level": "info",
        "method": "GET",
        "route": "/seen/{name}",
        "status": 200,
    }
    assert answer.headers["x-correlation-id"] == "c-1"


@pytest.mark.parametrize(("given", "handed"), [(GIVEN, GIVEN), ("rubbish", None), ("", None)])
def test_while_tracing_is_off_the_clients_context_goes_through(given: str, handed: str | None) -> None:
    answer, _ = send("/seen/ada", tracing.OFF, traceparent=given)
    assert answer.json() == {"traceparent": handed, "current": handed}


def test_a_span_of_a_request_is_its_clients_child_and_the_handlers_context() -> None:
    made = Recording()
    answer, _ = send("/seen/ada@example.org", made, traceparent=GIVEN)
    (span,) = made.spans
    assert (span.parent, span.work.kind, span.name) == (GIVEN, "server", "GET /seen/{name}")
    assert answer.json() == {"traceparent": span.traceparent, "current": span.traceparent}
    assert told(span) == {
        "http.request.method": "GET",
        "url.scheme": "http",
        "http.route": "/seen/{name}",
        "http.response.status_code": 200,
    }


def test_a_bugs_answer_is_an_error_on_its_span_and_a_clients_is_not() -> None:
    made = Recording()
    send("/seen/broken", made)
    send("/nowhere/ada@example.org", made)
    broken, nowhere = made.spans
    assert broken.noted["error.type"] == "500"
    assert (nowhere.name, "error.type" in nowhere.noted) == ("GET unmatched", False)


def told(span: Recorded) -> dict[str, str | int]:
    return {**span.work.attributes, **span.noted}


def test_a_request_is_checked_without_another_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("work was handed to a thread")

    monkeypatch.setattr(ThreadPoolExecutor, "submit", refuse)
    answered, _ = send("/seen/ada", tracing.OFF)
    assert answered.status_code == 200
