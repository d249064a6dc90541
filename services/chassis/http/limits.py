"""uvicorn's HTTP protocol, with bounds that it has not: on the time a request takes to arrive, on its head's size.

What it refuses by itself, before there is a request to hand on, is a problem detail too. After an early refusal the
rest of a body is read and dropped until the time is over: closing at once would take the answer from the client.
"""

import asyncio
from typing import Any

import msgspec
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from services.chassis.http.problems import MEDIA_TYPE, problem

LARGEST_HEAD = 64 * 1024


class Protocol(HttpToolsProtocol):
    """One connection. Its requests have `patience_s` seconds each to arrive whole."""

    def __init__(self, *args: Any, patience_s: float, **kwargs: Any) -> None:  # noqa: ANN401  # uvicorn's own
        super().__init__(*args, **kwargs)
        self._patience_s = patience_s
        self._deadline: asyncio.TimerHandle | None = None
        self._head = 0  # bytes of a head so far

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._wait_no_more()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what has arrived, up to the largest head."""
        if self._deadline is None:
            self._wait()
        in_head = self._head >= 0
        if in_head:
            self._head += len(data)
        super().data_received(data)
        if in_head and self._head > LARGEST_HEAD:
            self._refuse(431, f"the head of the request is larger than {LARGEST_HEAD} bytes")

    def on_headers_complete(self) -> None:
        """Let the request begin."""
        self._head = -1
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The request is whole; the next one begins."""
        self._head = 0
        self._wait_no_more()
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP."""
        self._refuse(400, msg)

    def _wait(self) -> None:
        self._deadline = self.loop.call_later(self._patience_s, self._give_up)

    def _wait_no_more(self) -> None:
        if self._deadline:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        answering = self.cycle is not None and not self.cycle.response_complete  # type: ignore[redundant-expr]  # None at first
        if self._head >= 0 and not answering:
            self._refuse(408, f"the request did not arrive within {self._patience_s:g} s")
        else:
            self.transport.close()

    def _refuse(self, status: int, detail: str) -> None:
        body = msgspec.json.encode(problem(status, detail))
        head = f"HTTP/1.1 {status} {problem(status, detail).title}\r\ncontent-type: {MEDIA_TYPE}\r\n"
        rest = f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        if not self.transport.is_closing():
            self.transport.write(head.encode() + rest.encode() + body)
            self.transport.close()
