"""ASGI middleware: correlation ids, request telemetry and connection draining."""

import re
import time
from collections.abc import Mapping

import structlog
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send
from structlog.contextvars import bound_contextvars

from services.chassis.http.problems import send_problem
from services.chassis.messages import traceparent
from services.chassis.messages.ids import new_id
from services.chassis.telemetry.health import Health
from services.chassis.telemetry.metrics.registry import observe
from services.chassis.telemetry.metrics.serving import HTTP_ACTIVE, HTTP_DURATION
from services.chassis.telemetry.telemetry import Telemetry
from services.chassis.telemetry.tracing import Attributes, Span, Work, span
from services.contracts.envelope import ID

CORRELATION = "X-Correlation-ID"
HOST_FORM = re.compile(rb"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~!\x24&'()*+,;=%-]*)(:[0-9]*)?")  # RFC 3986, section 3.2.2
SHOWN = 100  # characters of a refused value

log = structlog.get_logger()


class RequestTelemetry:
    """Gives every request a correlation id, a span, one log line and one duration."""

    def __init__(self, app: ASGIApp, telemetry: Telemetry) -> None:
        self._app = app
        self._tracing = telemetry.tracing
        self._durations = telemetry.metrics.histogram(HTTP_DURATION)
        self._active = telemetry.metrics.gauge(HTTP_ACTIVE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request (ASGI 3.0)."""
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        observed = _ObservedRequest(scope, send)
        # Neither path nor query: a client controls both.
        work = Work(scope["method"], "server", {"http.request.method": scope["method"], "url.scheme": scope["scheme"]})
        with self._active.track_inprogress(), span(self._tracing, work, observed.traceparent) as serving:
            scope["traceparent"] = serving.traceparent  # type: ignore[typeddict-unknown-key]  # read by the handlers
            with bound_contextvars(correlation_id=observed.correlation_id):
                await self._app(scope, receive, observed.send)
                self._observe(scope, observed, serving)

    def _observe(self, scope: HTTPScope, observed: "_ObservedRequest", serving: Span) -> None:
        seconds = time.perf_counter() - observed.started
        route = scope.get("path_template") or "unmatched"
        serving.note(_response_attributes(route, observed.status), f"{scope['method']} {route}")
        observe(self._durations.labels(scope["method"], route, str(observed.status)), seconds)
        log.info(
            "request",
            method=scope["method"],
            route=route,
            status=observed.status,
            duration_ms=round(seconds * 1000, 1),
        )


def _response_attributes(route: str, status: int) -> Attributes:
    failed = {"error.type": str(status)} if status >= 500 else {}  # noqa: PLR2004  # a status code is its own name
    return {"http.route": route, "http.response.status_code": status, **failed}


class _ObservedRequest:
    def __init__(self, scope: HTTPScope, send: Send) -> None:
        self._send = send
        self.started = time.perf_counter()
        self.status = 500
        headers = dict(scope["headers"])
        self.correlation_id = correlation_id(headers)
        self.traceparent = traceparent.read(headers.get(b"traceparent", b"").decode("latin-1"))
        scope["correlation_id"] = self.correlation_id  # type: ignore[typeddict-unknown-key]  # read by the handlers

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            header = (CORRELATION.lower().encode(), self.correlation_id.encode())
            message["headers"] = [*message["headers"], header]
        await self._send(message)


def correlation_id(headers: Mapping[bytes, bytes]) -> str:
    """Return the client's correlation id if it has the form of an id, else a new one."""
    given = headers.get(CORRELATION.lower().encode(), b"").decode("latin-1")
    return given if ID.fullmatch(given) else new_id()


class HostCheck:
    """Refuses a request without a host, with two or with an invalid one (RFC 9112, section 3.2), on every path."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request (ASGI 3.0)."""
        hosts = [value for name, value in scope["headers"] if name == b"host"]
        expected = (1,) if scope.get("http_version") != "1.0" else (0, 1)
        if len(hosts) in expected and all(map(HOST_FORM.fullmatch, hosts)):
            await self._app(scope, receive, send)
            return
        given = b", ".join(hosts)[:SHOWN].decode("latin-1")
        detail = f"the header Host is given {len(hosts)} times ({given!r}): send it once, as host or host:port"
        await send_problem(send, 400, detail, {})


class ConnectionDraining:
    """Adds `Connection: close` to each response while the service stops, so that no busy connection is cut."""

    def __init__(self, app: ASGIApp, health: Health) -> None:
        self._app = app
        self._health = health

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request (ASGI 3.0)."""

        async def send_last(message: Message) -> None:
            if message["type"] == "http.response.start" and "stop" in self._health.missing():
                message["headers"] = [*message["headers"], (b"connection", b"close")]
            await send(message)

        await self._app(scope, receive, send_last)
