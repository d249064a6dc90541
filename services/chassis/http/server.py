"""The HTTP side of a service: a Litestar application with our errors, checks and measurements, run in a thread."""

import asyncio
import re
import socket
import threading
import time
from collections.abc import Mapping, Sequence
from functools import partial

import msgspec
import structlog
import uvicorn
from litestar import Litestar
from litestar.enums import ScopeType
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.types import ASGIApp, ControllerRouterHandler, HTTPScope, Message, Receive, Scope, Send

from services.chassis.http import problems
from services.chassis.http.api_page import DocsPage
from services.chassis.http.limits import Protocol
from services.chassis.http.request_checks import check
from services.chassis.http.settings import HttpSettings
from services.chassis.messages import traceparent
from services.chassis.messages.ids import new_id
from services.chassis.net import sockets
from services.chassis.telemetry import logs
from services.chassis.telemetry.health import Health
from services.chassis.telemetry.metrics.registry import observe
from services.chassis.telemetry.metrics.serving import HTTP_ACTIVE, HTTP_DURATION
from services.chassis.telemetry.telemetry import Telemetry
from services.chassis.telemetry.tracing import Attributes, Span, Work, span

LARGEST_BODY = 256 * 1024
REQUEST_S = 20.0
CORRELATION = "X-Correlation-ID"
CORRELATION_FORM = re.compile(rb"[\x21-\x7e]{1,64}")
DESCRIPTION = (
    "Errors are problem details (RFC 9457). `X-Correlation-ID` is taken where it has 1 to 64 printable characters, "
    "made where not, and stands in every answer and on every event that a request leads to."
)
GRACE_S = 10  # for requests in hand when the service stops
STOP_SEEN_WITHIN_S = 0.05

log = structlog.get_logger()


def application(
    handlers: Sequence[ControllerRouterHandler], title: str, closed: Sequence[type[msgspec.Struct]] = ()
) -> Litestar:
    """Return an application whose every error is a problem detail, with its description under `/schema`.

    `closed` names the bodies that forbid unknown fields: Litestar does not say so in the description.
    """
    app = Litestar(
        route_handlers=handlers,
        before_request=check,
        exception_handlers=problems.HANDLERS,
        openapi_config=OpenAPIConfig(
            title=title, version="1", description=DESCRIPTION, render_plugins=[DocsPage(), JsonRenderPlugin()]
        ),
        request_max_body_size=LARGEST_BODY,
        logging_config=None,
    )
    for body in closed:
        app.openapi_schema.components.schemas[body.__name__].additional_properties = False
    return app


class Frame:
    """Around every request: a correlation id in and out, one log line, one measurement."""

    def __init__(self, app: ASGIApp, telemetry: Telemetry) -> None:
        self._app = app
        self._tracing = telemetry.tracing
        self._durations = telemetry.metrics.histogram(HTTP_DURATION)
        self._active = telemetry.metrics.gauge(HTTP_ACTIVE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; see the ASGI specification, version 3."""
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(scope, send)
        # Neither path nor query: they hold whatever a client wrote.
        work = Work(scope["method"], "server", {"http.request.method": scope["method"], "url.scheme": scope["scheme"]})
        with self._active.track_inprogress(), span(self._tracing, work, exchange.traceparent) as serving:
            scope["traceparent"] = serving.traceparent  # type: ignore[typeddict-unknown-key]  # ours, for the handlers
            with logs.within(correlation_id=exchange.correlation_id):
                await self._app(scope, receive, exchange.send)
                self._observe(scope, exchange, serving)

    def _observe(self, scope: HTTPScope, exchange: "_Exchange", serving: Span) -> None:
        seconds = time.perf_counter() - exchange.started
        route = scope.get("path_template") or "unmatched"
        serving.note(_answered(route, exchange.status), f"{scope['method']} {route}")
        observe(self._durations.labels(scope["method"], route, str(exchange.status)), seconds)
        log.info(
            "request",
            method=scope["method"],
            route=route,
            status=exchange.status,
            duration_ms=round(seconds * 1000, 1),
        )


def _answered(route: str, status: int) -> Attributes:
    failed = {"error.type": str(status)} if status >= 500 else {}  # noqa: PLR2004  # a status code is its own name
    return {"http.route": route, "http.response.status_code": status, **failed}


class _Exchange:
    def __init__(self, scope: HTTPScope, send: Send) -> None:
        self._send = send
        self.started = time.perf_counter()
        self.status = 500
        headers = dict(scope["headers"])
        self.correlation_id = correlation_id(headers)
        self.traceparent = traceparent.read(headers.get(b"traceparent", b"").decode("latin-1"))
        scope["correlation_id"] = self.correlation_id  # type: ignore[typeddict-unknown-key]  # ours, for the handlers

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            named = (CORRELATION.lower().encode(), self.correlation_id.encode())
            message["headers"] = [*message["headers"], named]
        await self._send(message)


def correlation_id(headers: Mapping[bytes, bytes]) -> str:
    """Return the client's correlation id where it is printable and short, else a new one."""
    given = headers.get(CORRELATION.lower().encode(), b"")
    return given.decode() if CORRELATION_FORM.fullmatch(given) else new_id()


class _Farewell:
    """While the service stops, each answer ends its connection, so that none in use is cut when the listener ends."""

    def __init__(self, app: ASGIApp, health: Health) -> None:
        self._app = app
        self._health = health

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_last(message: Message) -> None:
            if message["type"] == "http.response.start" and "stop" in self._health.missing():
                message["headers"] = [*message["headers"], (b"connection", b"close")]
            await send(message)

        await self._app(scope, receive, send_last)


class Server:
    """Runs an application on an address, as a component. In-flight requests are finished at the stop.

    A request has `patience_s` to arrive. Raises AddressError at construction: port taken.
    """

    name = "http"

    def __init__(self, app: ASGIApp, settings: HttpSettings, health: Health, patience_s: float = REQUEST_S) -> None:
        self._socket = sockets.bind(settings.http_host, settings.http_port, "APP_HTTP_PORT")
        self._health = health
        self._health.lacks("http", "not listening yet")
        self._config = uvicorn.Config(
            _Farewell(app, health),
            http=partial(Protocol, patience_s=patience_s),  # type: ignore[arg-type]  # it is called, no more
            log_config=None,
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=GRACE_S,
        )

    def run(self, stop: threading.Event) -> None:
        """Serve until told to stop."""
        with asyncio.Runner(loop_factory=self._config.get_loop_factory()) as runner:
            runner.run(self._serve(stop))

    async def _serve(self, stop: threading.Event) -> None:
        server = _Announced(self._config, self._health)
        serving = asyncio.create_task(server.serve([self._socket]))
        while not stop.is_set() and not serving.done():
            self._health.beat(self.name)
            await asyncio.sleep(STOP_SEEN_WITHIN_S)
        server.should_exit = True
        await serving


class _Announced(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, health: Health) -> None:
        super().__init__(config)
        self._health = health

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._health.has("http")
