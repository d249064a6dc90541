"""The port for machines: `/metrics`, `/livez`, `/readyz`, `/startupz`."""

import contextlib
import socket
import sys
import threading
import time
from collections.abc import Iterable, Mapping
from socketserver import ThreadingMixIn
from typing import Any, cast
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
from wsgiref.types import StartResponse, WSGIEnvironment

import structlog
from prometheus_client import make_wsgi_app

from services.chassis.http.limits import REQUEST_S
from services.chassis.net.sockets import explained
from services.chassis.telemetry.health import Health
from services.chassis.telemetry.metrics import Metrics
from services.chassis.telemetry.metrics.serving import SCRAPE_CPU

STOP_SEEN_WITHIN_S = 0.1
MOST_CONNECTIONS = 100

log = structlog.get_logger()


class _Server(ThreadingMixIn, WSGIServer):
    """A thread for each connection, which has one request. Connections are bounded in number and time."""

    daemon_threads = True
    request_queue_size = MOST_CONNECTIONS
    request_s = REQUEST_S

    def __init__(self, *args: Any) -> None:  # noqa: ANN401  # the signature is socketserver's
        self._opened: dict[Any, float] = {}  # by socket, the oldest first
        super().__init__(*args)

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401  # as above
        """Serve a connection, above the limit at the expense of the oldest one."""
        self._opened[request] = time.monotonic()
        if len(self._opened) > MOST_CONNECTIONS:
            self._end(next(iter(self._opened)))
        super().process_request(request, client_address)

    def service_actions(self) -> None:
        """End the connections that have been open for too long."""
        before = time.monotonic() - self.request_s
        for connection in [one for one, opened in list(self._opened.items()) if opened < before]:
            self._end(connection)

    def shutdown_request(self, request: Any) -> None:  # noqa: ANN401  # as above
        """Forget a connection that has been served."""
        self._opened.pop(request, None)
        super().shutdown_request(request)

    def handle_error(self, _request: Any, client_address: Any) -> None:  # noqa: ANN401  # as above
        """Log a client that ended its connection early."""
        log.debug("connection to the metrics port failed", client=str(client_address), error=str(sys.exception()))

    def _end(self, connection: socket.socket) -> None:
        self._opened.pop(connection, None)
        with contextlib.suppress(OSError):  # its thread was faster
            connection.shutdown(socket.SHUT_RDWR)  # wakes its thread, which then closes it


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_: Any) -> None:  # noqa: ANN401  # the signature is wsgiref's
        """Probes come every few seconds and add nothing to the metrics."""


class Probes:
    """Serves the probes from a thread of its own, from construction to `close`. Raises AddressError: port taken.

    A connection ends after `request_s`, whatever it has sent and read by then.
    """

    def __init__(self, host: str, port: int, health: Health, metrics: Metrics, request_s: float = REQUEST_S) -> None:
        self._health = health
        self._metrics = make_wsgi_app(metrics.registry)
        self._reads = metrics.reads
        self._costs = metrics.histogram(SCRAPE_CPU)
        try:
            self._server: _Server = make_server(host, port, self._answer, server_class=_Server, handler_class=_Quiet)
        except OSError as error:
            raise explained(error, host, port, "APP_METRICS_PORT") from error
        self._server.request_s = request_s
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(STOP_SEEN_WITHIN_S,), name="probes", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop serving and free the port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _answer(self, request: WSGIEnvironment, respond: StartResponse) -> Iterable[bytes]:
        if request["PATH_INFO"] == "/metrics":
            return self._scraped(request, respond)
        problems = self._problems(request["PATH_INFO"])
        status = "404 Not Found" if problems is None else "503 Service Unavailable" if problems else "200 OK"
        respond(status, [("Content-Type", "text/plain; charset=utf-8")])
        absent = self._health.absent() if request["PATH_INFO"] == "/readyz" else {}
        return [("\n".join((problems or ["ok"]) + _lines(absent)) + "\n").encode()]

    def _scraped(self, request: WSGIEnvironment, respond: StartResponse) -> Iterable[bytes]:
        started = self._reads.cpu_s + time.thread_time()
        body = cast("Iterable[bytes]", self._metrics(request, respond))
        self._costs.observe(self._reads.cpu_s + time.thread_time() - started)
        return body

    def _problems(self, path: str) -> list[str] | None:
        if path == "/livez":
            return [f"the loop {loop!r} does not move" for loop in self._health.stalled()]
        if path == "/readyz":
            return _lines(self._health.missing())
        if path == "/startupz":
            return [] if self._health.started else ["not started yet"]
        return None


def _lines(reasons: Mapping[str, str]) -> list[str]:
    return [f"{what}: {reason}" for what, reason in reasons.items()]
