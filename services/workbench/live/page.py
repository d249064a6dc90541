"""The live page of `make run`: the system as a diagram, a form, and an event seen travelling. Serves this machine only.

A browser gets the numbers and the journeys as server-sent events (HTML Living Standard, section 9.2).
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
from aiohttp import web

from services.contracts.service_list import SERVICES
from services.workbench.faults.breaker import Breaker
from services.workbench.faults.live_page import Begun, Order
from services.workbench.faults.poison import POISONS
from services.workbench.faults.table import VERBS, Fault, FaultError
from services.workbench.live.status import Snapshot
from services.workbench.local.ports import HOST
from services.workbench.local.sink import Mail
from services.workbench.local.system import ROOT
from services.workbench.settings import WorkbenchSettings

PAGE = Path(__file__).with_name("page.html")
DOCS = ROOT / "docs"
PATIENCE = aiohttp.ClientTimeout(10)
POLL_S = 0.15
FOLLOW_S = 60.0  # how long an event is followed
NEWEST_MAILS = 20
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; connect-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Feed:
    """The newest snapshot of the system, for any number of browsers."""

    def __init__(self) -> None:
        self._newest: Snapshot | None = None
        self._changed = asyncio.Condition()

    async def put(self, snapshot: Snapshot) -> None:
        """Publish a snapshot."""
        async with self._changed:
            self._newest = snapshot
            self._changed.notify_all()

    async def follow(self) -> AsyncIterator[Snapshot]:
        """Yield the newest snapshot, and each that follows."""
        while True:
            if self._newest is not None:
                yield self._newest
            async with self._changed:
                await self._changed.wait()


class LivePage:
    """The page's web server."""

    def __init__(
        self,
        settings: WorkbenchSettings,
        session: aiohttp.ClientSession,
        feed: Feed,
        breaker: Breaker,
        mails: Callable[[], list[Mail]],
    ) -> None:
        self._settings = settings
        self._session = session
        self._feed = feed
        self._breaker = breaker
        self._mails = mails

    @asynccontextmanager
    async def served(self) -> AsyncIterator[None]:
        """Serve while the block runs. Raises OSError if the port is taken."""
        app = web.Application()
        app.add_routes(
            [
                web.get("/", self._page),
                web.get("/snapshots", self._snapshots),
                web.post("/users", self._command),
                web.patch("/users/{user_id}", self._command),
                web.get("/journeys/{id}", self._journey),
                web.get("/mails", self._newest_mails),
                web.get("/faults", self._faults),
                web.post("/faults", self._break),
                web.delete("/faults", self._heal),
                web.static("/docs", DOCS),
            ]
        )
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await runner.setup()
        await web.TCPSite(runner, HOST, self._settings.page_port).start()
        try:
            yield
        finally:
            await runner.cleanup()

    async def _page(self, _: web.Request) -> web.Response:
        meanings = {name: known.meaning for table in (VERBS, POISONS) for name, known in table.items()}
        text = PAGE.read_text()
        values = {"/*ADDRESSES*/{}": self._addresses(), "/*LINKS*/[]": self._links(), "/*MEANINGS*/{}": meanings}
        for place, value in values.items():
            text = text.replace(place, msgspec.json.encode(value).decode())
        headers = {"Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff"}
        return web.Response(text=text, content_type="text/html", headers=headers)

    def _addresses(self) -> Mapping[str, str]:
        apis = {name: f"http://{HOST}:{self._settings.port(name)}" for name in SERVICES}
        return apis | {"broker": self._settings.bootstrap_servers}

    def _links(self) -> list[tuple[str, str]]:
        at = self._addresses()
        apis = [(f"{name} API", f"{at[name]}/schema") for name in SERVICES]
        metrics = [
            (f"{name} metrics", f"http://{HOST}:{self._settings.metrics_port(name)}/metrics") for name in SERVICES
        ]
        log = f"{at['audit']}/audit/entries?limit=20"
        others = [("audit log", log), ("mails as JSON", "/mails"), ("topics and events", "/docs/events.html")]
        return [*apis, *others, *metrics]

    async def _snapshots(self, request: web.Request) -> web.StreamResponse:
        async def events() -> AsyncIterator[object]:
            async for snapshot in self._feed.follow():
                yield snapshot

        return await _stream(request, events())

    async def _command(self, request: web.Request) -> web.Response:
        """Pass a command on to the user API: a page of another origin could not call it."""
        _refuse_other_origins(request)
        headers = {name: request.headers[name] for name in ("If-Match",) if name in request.headers}
        url = f"http://{HOST}:{self._settings.port('user')}{request.rel_url.path}"
        json = {"Content-Type": "application/json"}
        try:
            async with self._session.request(
                request.method, url, data=await request.read(), headers=headers | json, timeout=PATIENCE
            ) as answer:
                named = {"X-Correlation-ID": answer.headers["X-Correlation-ID"]}
                body = await answer.read()
                return web.Response(body=body, status=answer.status, content_type="application/json", headers=named)
        except (aiohttp.ClientError, TimeoutError) as error:
            return web.json_response({"detail": f"the user service does not answer: {error}"}, status=503)

    async def _journey(self, request: web.Request) -> web.StreamResponse:
        """Send the journey of a command whenever it has changed, until it is complete."""

        async def events() -> AsyncIterator[object]:
            deadline, last = time.monotonic() + FOLLOW_S, b""
            while time.monotonic() < deadline:
                journey = await self._read_journey(request.match_info["id"])
                if journey and (text := msgspec.json.encode(journey)) != last:
                    last = text
                    yield journey
                    if not journey["missing"]:
                        return
                await asyncio.sleep(POLL_S)

        return await _stream(request, events())

    async def _read_journey(self, wanted: str) -> Any:  # noqa: ANN401  # decoded JSON
        url = f"http://{HOST}:{self._settings.port('audit')}/audit/journeys/{wanted}"
        try:
            async with self._session.get(url) as answer:
                return (await answer.json())["journey"] if answer.ok else None
        except (aiohttp.ClientError, TimeoutError):
            return None  # audit is stopped on purpose: it has the records when it is back

    async def _newest_mails(self, _: web.Request) -> web.Response:
        return _json(self._mails()[-NEWEST_MAILS:])

    async def _faults(self, _: web.Request) -> web.Response:
        return _json(await self._breaker.status())

    async def _break(self, request: web.Request) -> web.Response:
        """Cause a fault, for this page or the command `break`."""
        _refuse_other_origins(request)
        try:
            order = msgspec.json.decode(await request.read(), type=Order)
            return _json(Begun(await self._breaker.begin(Fault(order.verb, order.target), order.seconds)))
        except (FaultError, ConnectionError) as error:
            return web.json_response({"detail": str(error)}, status=409)
        except msgspec.MsgspecError as error:
            return web.json_response({"detail": str(error)}, status=400)

    async def _heal(self, request: web.Request) -> web.Response:
        _refuse_other_origins(request)
        return _json(await self._breaker.heal())


def _json(value: object) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), content_type="application/json")


def _refuse_other_origins(request: web.Request) -> None:
    # A page of another site can send a form here, but not without naming itself.
    origin = request.headers.get("Origin")
    if origin is not None and origin != f"{request.scheme}://{request.host}":
        raise web.HTTPForbidden(text=f"not from {origin}")


async def _stream(request: web.Request, events: AsyncIterator[object]) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
    await response.prepare(request)
    try:
        async for event in events:
            await response.write(b"data: " + msgspec.json.encode(event) + b"\n\n")
        await response.write(b"event: end\ndata: {}\n\n")
    except (ConnectionResetError, asyncio.CancelledError):
        pass  # the browser has left, or the run ends
    return response
