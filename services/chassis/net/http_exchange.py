"""One HTTP exchange with another program, bounded in time and size, also where the answer comes a byte at a time."""

import http.client
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from typing import NamedTuple
from urllib.parse import SplitResult

from services.chassis.net import tls

PORTS = {"http": 80, "https": 443}


class Request(NamedTuple):
    """A request; `target` is the path with the query."""

    target: str
    method: str = "GET"
    body: bytes | None = None


class Limits(NamedTuple):
    """The time of the whole exchange, and the largest body."""

    seconds: float
    size: int


class Answer(NamedTuple):
    """A whole answer."""

    status: int
    content_type: str
    body: bytes


class ExchangeError(ConnectionError):
    """There is no whole answer within the limits; the message is the reason."""


def exchange(address: SplitResult, request: Request, limits: Limits) -> Answer:
    """Return the answer of the server at an http or https address; no redirect is followed. Raises ExchangeError."""
    until = time.monotonic() + limits.seconds
    try:
        with _connected(address, until) as connection:
            connection.request(request.method, request.target, request.body, {"Accept": "*/*"})
            response = connection.getresponse()
            body = response.read(limits.size + 1)
            left = response.length
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise ExchangeError(_late(until, limits) or _reason(error)) from None
    if len(body) > limits.size:
        raise ExchangeError(f"the answer has more than {limits.size} bytes")
    if left or time.monotonic() >= until:
        raise ExchangeError(_late(until, limits) or "the answer ends too early")
    return Answer(response.status, response.headers.get("content-type", ""), body)


@contextmanager
def _connected(address: SplitResult, until: float) -> Iterator[http.client.HTTPConnection]:
    """Yield a connection that is shut down at the end of the time: a socket's own time-out begins with each byte."""
    host, port = address.hostname or "", address.port or PORTS[address.scheme]
    with closing(http.client.HTTPConnection(host, port)) as connection:
        plain = socket.create_connection((host, port), _left(until))
        with plain, plain.dup() as watched, _shut_down(watched, until):
            encrypts = address.scheme == "https"
            connection.sock = tls.context("").wrap_socket(plain, server_hostname=host) if encrypts else plain
            yield connection


@contextmanager
def _shut_down(watched: socket.socket, until: float) -> Iterator[None]:
    def end() -> None:
        with suppress(OSError):  # the server was faster
            watched.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(_left(until), end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _left(until: float) -> float:
    return max(until - time.monotonic(), 0.001)


def _late(until: float, limits: Limits) -> str:
    return f"no whole answer within {limits.seconds:g} s" if time.monotonic() >= until else ""


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return f"not an HTTP answer: {error!r}"
