"""Clients in a closed loop: each sends its next registration when the last is answered.

One thread, plain sockets, no HTTP library: on two cores a client must not cost what the service does.
"""

import selectors
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count

import msgspec

WARM_S = 0.5
RIGHT = b"HTTP/1.1 201 "
LARGEST = 64 * 1024
SILENCE_S = 30.0


class RefusedError(Exception):
    """An answer was no 201: the message is what was answered."""


class Client:
    """One connection with at most one request under way."""

    def __init__(self, port: int, requests: Iterator[bytes]) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._requests = requests
        self._seen = b""

    def send(self) -> None:
        """Send the next request."""
        self.socket.sendall(next(self._requests))

    def answered(self) -> bool:
        """Take what has arrived; return whether the answer is whole. Raises RefusedError."""
        self._seen += (fresh := self.socket.recv(LARGEST))
        if fresh and not self._seen.endswith(b"}"):  # the one brace of an answer's flat JSON object ends it
            return False
        if not self._seen.startswith(RIGHT):
            raise RefusedError(self._seen[:1000].decode(errors="replace") or "the connection was closed")
        self._seen = b""
        return True


def registrations(name: str) -> Iterator[bytes]:
    """Return requests without end, each to register another user; `name` is the run's own."""
    for number in count(1):
        login = f"{name}-{number}"
        person = {"login": login, "email": f"{login}@example.org", "full_name": f"Person Number {number}"}
        body = msgspec.json.encode(person)
        head = f"POST /users HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\ncontent-length: {len(body)}"
        yield head.encode() + b"\r\n\r\n" + body


def run(port: int, clients: int, seconds: float, requests: Iterator[bytes]) -> float:
    """Return answers per second of so many clients, half a second of warming up left out. Raises RefusedError."""
    with selectors.DefaultSelector() as selector, ExitStack() as stack:
        for _ in range(clients):
            client = Client(port, requests)
            stack.enter_context(client.socket)
            selector.register(client.socket, selectors.EVENT_READ, client)
            client.send()
        _turn(selector, WARM_S)
        started = time.perf_counter()
        done = _turn(selector, seconds)
        return done / (time.perf_counter() - started)


def _turn(selector: selectors.BaseSelector, seconds: float) -> int:
    done, end = 0, time.perf_counter() + seconds
    while time.perf_counter() < end:
        if not (ready := selector.select(SILENCE_S)):
            raise TimeoutError(f"no answer for {SILENCE_S:.0f} s")
        for key, _ in ready:
            client: Client = key.data
            if client.answered():
                done += 1
                client.send()
    return done
