"""Runs uvicorn in a thread of the process."""

import asyncio
import socket
import threading
from functools import partial

import uvicorn
from litestar.types import ASGIApp

from services.chassis.http.limits import REQUEST_S, LimitedProtocol
from services.chassis.http.middleware import ConnectionDraining
from services.chassis.http.settings import HttpSettings
from services.chassis.net import sockets
from services.chassis.telemetry.health import Health

GRACE_S = 10  # for in-flight requests when the service stops
STOP_POLL_S = 0.05
KEEP_ALIVE_S = 75  # longer than clients and proxies keep an idle connection: one that both drop at once costs a request


class Server:
    """Runs an application on an address, as a component. In-flight requests are finished before it stops.

    A request must arrive within `request_s`. Raises AddressError at construction if the port is taken.
    """

    name = "http"

    def __init__(self, app: ASGIApp, settings: HttpSettings, health: Health, request_s: float = REQUEST_S) -> None:
        self._socket = sockets.bind(settings.http_host, settings.http_port, "APP_HTTP_PORT")
        self._health = health
        self._health.lacks("http", "not listening yet")
        self._config = uvicorn.Config(
            ConnectionDraining(app, health),
            http=partial(LimitedProtocol, request_s=request_s),  # type: ignore[arg-type]  # uvicorn only calls it
            ws="none",  # a WebSocket would leave the protocol and its limits
            log_config=None,
            access_log=False,
            proxy_headers=False,  # a client can write any; the rate limit of addresses counts the connection's
            lifespan="off",
            timeout_graceful_shutdown=GRACE_S,
            timeout_keep_alive=KEEP_ALIVE_S,
        )

    def run(self, stop: threading.Event) -> None:
        """Serve until `stop` is set."""
        with asyncio.Runner(loop_factory=self._config.get_loop_factory()) as runner:
            runner.run(self._serve(stop))

    async def _serve(self, stop: threading.Event) -> None:
        server = _ReadyServer(self._config, self._health)
        serving = asyncio.create_task(server.serve([self._socket]))
        while not stop.is_set() and not serving.done():
            self._health.beat(self.name)
            await asyncio.sleep(STOP_POLL_S)
        server.should_exit = True
        await serving


class _ReadyServer(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, health: Health) -> None:
        super().__init__(config)
        self._health = health

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._health.has("http")
