"""HTTP size and time limits, and uvicorn's protocol with those that it lacks: head size, time to arrive, time to leave.

Its own refusals are problem details too. After an early refusal the rest of the body is read and dropped until the
time limit: closing at once would discard the response before the client reads it.
"""

import asyncio
import math
from typing import Any

import msgspec
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from services.chassis.http.problems import MEDIA_TYPE, problem

LARGEST_HEAD = 128 * 1024
LARGEST_BODY = 256 * 1024
REQUEST_S = 20.0
LEAST_READ = 64 * 1024  # bytes of an answer that a client must read within the time limit, or all that is left


class LimitedProtocol(HttpToolsProtocol):
    """One connection. Each request must arrive completely within `request_s` seconds.

    The time starts with the request's first byte, for a pipelined request with the answer to the one before it: the
    server itself does not read while that is outstanding. A client that does not read its answers loses the connection
    after the same time.
    """

    def __init__(self, *args: Any, request_s: float, **kwargs: Any) -> None:  # noqa: ANN401  # uvicorn's signature
        super().__init__(*args, **kwargs)
        self._request_s = request_s
        self._deadline: asyncio.TimerHandle | None = None
        self._served: RequestResponseCycle | None = None  # the newest request whose answer was begun
        self._unread: asyncio.TimerHandle | None = None  # runs while the client leaves a part of an answer unread
        self._head = 0  # bytes of the head received so far; -1 in a body
        self._arriving = False  # between the first and the last byte of a request

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Start the time limit of the first request."""
        super().connection_made(transport)
        transport.set_write_buffer_limits(high=0)  # writing pauses as soon as the client does not read
        self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the time limits and the answer under way: uvicorn itself stops that of the last pipelined request."""
        self._stop_timer()
        self.pipeline.clear()
        if self._served and not self._served.response_complete:
            self._served.disconnected = True
            self._served.message_event.set()
        self.resume_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse received bytes; refuse a head above the limit."""
        self._start_timer()
        in_head = self._head >= 0
        if in_head:
            self._head += len(data)
        super().data_received(data)
        if in_head and self._head > LARGEST_HEAD:
            self._refuse(431, f"the head of the request is larger than {LARGEST_HEAD} bytes")

    def on_message_begin(self) -> None:
        """Start the time limit of a request; one segment may hold the end of the request before it."""
        self._arriving = True
        self._start_timer()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Start the request; uvicorn's hook."""
        self._head = -1
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Stop the time limit; the next bytes belong to the next request."""
        self._head, self._arriving = 0, False
        self._stop_timer()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Start the time limit of a pipelined request whose rest has not come yet."""
        super().on_response_complete()
        if self._arriving:
            self._start_timer()

    def pause_writing(self) -> None:
        """Start the time limit of the client's reading; the transport's hook."""
        super().pause_writing()
        self._await_reading()

    def resume_writing(self) -> None:
        """Stop it: the client has read everything."""
        if self._unread:
            self._unread.cancel()
            self._unread = None
        super().resume_writing()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._served = cycle
        super()._start_asgi_task(cycle, app)

    def send_400_response(self, msg: str) -> None:
        """Refuse malformed HTTP."""
        self._refuse(400, msg)

    def _start_timer(self) -> None:
        if self._deadline is None and not self._owes_an_answer() and not self.transport.is_closing():
            self._deadline = self.loop.call_later(self._request_s, self._time_out)

    def _stop_timer(self) -> None:
        if self._deadline:
            self._deadline.cancel()
            self._deadline = None

    def _owes_an_answer(self) -> bool:
        """Return whether a request that has arrived completely is not answered yet."""
        return bool(self.pipeline) or (self._head >= 0 and self._is_unanswered())

    def _is_unanswered(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete  # type: ignore[redundant-expr]  # None before the first request

    def _time_out(self) -> None:
        if self._head < 0 and (self.cycle.response_started or self.cycle.response_complete):
            self.transport.close()
        else:
            self._refuse(408, f"the request did not arrive within {self._request_s:g} s")

    def _await_reading(self, before: float = math.inf) -> None:
        left = self.transport.get_write_buffer_size()
        if left > before - LEAST_READ:
            self.transport.abort()
        else:
            self._unread = self.loop.call_later(self._request_s, self._await_reading, left)

    def _refuse(self, status: int, detail: str) -> None:
        body = msgspec.json.encode(problem(status, detail))
        head = f"HTTP/1.1 {status} {problem(status, detail).title}\r\ncontent-type: {MEDIA_TYPE}\r\n"
        rest = f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        if not self.transport.is_closing():
            self.transport.write(head.encode() + rest.encode() + body)
            self.transport.close()
