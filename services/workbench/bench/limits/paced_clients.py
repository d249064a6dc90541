"""Clients in an open loop: each sends at its own pace, whatever the answers take.

A time counts from the moment at which a request was due, so that a slow answer delays no later time. One thread, plain
sockets, no HTTP library, as in `clients`.
"""

import re
import selectors
import socket
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack

import msgspec

LARGEST = 64 * 1024
LENGTH = re.compile(rb"\r\ncontent-length: (\d+)\r\n", re.IGNORECASE)
STATUS = slice(9, 12)  # of `HTTP/1.1 200 OK`
LONGEST_WAIT_S = 0.1


class Answers(msgspec.Struct):
    """Answers by status, and the seconds that each took from the moment at which its request was due."""

    statuses: Counter[str]
    seconds: list[float]


class PacedClient:
    """One connection with at most one request under way. `due` is the time of the next, or of the one under way."""

    def __init__(self, port: int, requests: Iterator[bytes], due: float) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.due = due
        self.waits = False
        self._requests = requests
        self._seen = b""

    def send(self) -> None:
        """Send the next request."""
        self.waits = True
        self.socket.sendall(next(self._requests))

    def answered(self) -> str:
        """Take what has arrived; return the status of the answer if it is whole, else nothing."""
        fresh = self.socket.recv(LARGEST)
        if not fresh:
            raise ConnectionError(f"the connection was closed after {self._seen[:1000]!r}")
        self._seen += fresh
        head, ended, body = self._seen.partition(b"\r\n\r\n")
        found = LENGTH.search(head + b"\r\n")
        if not ended or found is None or len(body) < int(found[1]):
            return ""
        self._seen, self.waits = b"", False
        return head[STATUS].decode()


def run(port: int, callers: Sequence[Iterator[bytes]], interval_s: float, seconds: float) -> Answers:
    """Let each caller send a request in each interval, one after the other. Raises ConnectionError."""
    answers = Answers(Counter(), [])
    start = time.perf_counter()
    with selectors.DefaultSelector() as selector, ExitStack() as stack:
        clients = []
        for number, requests in enumerate(callers):
            client = PacedClient(port, requests, start + number * interval_s / len(callers))
            stack.enter_context(client.socket)
            selector.register(client.socket, selectors.EVENT_READ, client)
            clients.append(client)
        while (now := time.perf_counter()) < start + seconds:
            idle = [client for client in clients if not client.waits]
            for client in idle:
                if client.due <= now:
                    client.send()
            following = min((client.due for client in clients if not client.waits), default=now + LONGEST_WAIT_S)
            for key, _ in selector.select(max(0.0, following - now)):
                _take(key.data, interval_s, answers)
    return answers


def _take(client: PacedClient, interval_s: float, answers: Answers) -> None:
    if status := client.answered():
        answers.statuses[status] += 1
        answers.seconds.append(time.perf_counter() - client.due)
        client.due += interval_s
