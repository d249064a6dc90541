"""HTTP size and time limits, and uvicorn's protocol with the two that it lacks: arrival time and head size.

Its own refusals are problem details too. After an early refusal the rest of the body is read and dropped until the
time limit: closing at once would discard the response before the client reads it.
"""

import asyncio
from typing import Any

import msgspec
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from services.chassis.http.problems import MEDIA_TYPE, problem

LARGEST_HEAD = 64 * 1024
LARGEST_BODY = 256 * 1024
REQUEST_S = 20.0


class LimitedProtocol(HttpToolsProtocol):
    """One connection. Each request must arrive completely within `request_s` seconds."""

    def __init__(self, *args: Any, request_s: float, **kwargs: Any) -> None:  # noqa: ANN401  # uvicorn's signature
        super().__init__(*args, **kwargs)
        self._request_s = request_s
        self._deadline: asyncio.TimerHandle | None = None
        self._head = 0  # bytes of the head received so far; -1 in a body

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Start the time limit of the first request."""
        super().connection_made(transport)
        self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the time limit."""
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse received bytes; refuse a head above the limit."""
        if self._deadline is None:
            self._start_timer()
        in_head = self._head >= 0
        if in_head:
            self._head += len(data)
        super().data_received(data)
        if in_head and self._head > LARGEST_HEAD:
            self._refuse(431, f"the head of the request is larger than {LARGEST_HEAD} bytes")

    def on_headers_complete(self) -> None:
        """Start the request; uvicorn's hook."""
        self._head = -1
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Stop the time limit; the next bytes belong to the next request."""
        self._head = 0
        self._stop_timer()
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse malformed HTTP."""
        self._refuse(400, msg)

    def _start_timer(self) -> None:
        self._deadline = self.loop.call_later(self._request_s, self._time_out)

    def _stop_timer(self) -> None:
        if self._deadline:
            self._deadline.cancel()
            self._deadline = None

    def _time_out(self) -> None:
        answering = self.cycle is not None and not self.cycle.response_complete  # type: ignore[redundant-expr]  # None before the first request
        if self._head >= 0 and not answering:
            self._refuse(408, f"the request did not arrive within {self._request_s:g} s")
        else:
            self.transport.close()

    def _refuse(self, status: int, detail: str) -> None:
        body = msgspec.json.encode(problem(status, detail))
        head = f"HTTP/1.1 {status} {problem(status, detail).title}\r\ncontent-type: {MEDIA_TYPE}\r\n"
        rest = f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        if not self.transport.is_closing():
            self.transport.write(head.encode() + rest.encode() + body)
            self.transport.close()
