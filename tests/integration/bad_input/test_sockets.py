"""BAD-INPUT, surface HTTP, as raw bytes on a connection: what never ends, comes too slowly, or is no HTTP."""

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from itertools import repeat
from pathlib import Path

import pytest

from services.chassis.database.database import Database
from services.chassis.http.limits import LARGEST_HEAD
from services.chassis.http.server import Server
from services.chassis.telemetry.health import Health
from services.user.settings import Settings
from services.workbench.local.free_ports import free_ports
from services.workbench.local.ports import HOST
from services.workbench.polling import until
from tests.support.user_client import Service
from tests.support.user_process import NUMBERS, UserServer, answer_on, refused, write

CHUNK = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
ENDLESS = b"POST /users HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"


def test_endless_chunks(untouched: UserServer) -> None:
    """Endless chunks: 413 while they still come, memory flat however many follow."""
    with untouched.connect() as connection:
        connection.sendall(ENDLESS)
        assert not write(connection, repeat(CHUNK, 1000))
        assert refused(answer_on(connection), 413)
        before = untouched.memory()
        for _ in range(1000):  # 64 MB
            connection.sendall(CHUNK)
        assert untouched.memory() - before < 16 * 1024 * 1024


def test_a_missing_content_type(untouched: UserServer) -> None:
    """Missing Content-Type: 415."""
    with untouched.connect() as connection:
        connection.sendall(b"POST /users HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}")
        assert refused(answer_on(connection), 415)


def test_a_client_that_goes_after_the_commit(user_server: UserServer) -> None:
    """Client gone after commit: the event stays, and the reply for the next request with the same key."""
    before, person = (
        user_server.rows()["events"],
        f'{{"login": "gone{next(NUMBERS)}", "email": "gone@example.org",'.encode(),
    )
    body = person.replace(b"gone@", b"gone%d@" % next(NUMBERS)) + b'"full_name": "Ada"}'
    head = f"POST /users HTTP/1.1\r\nHost: x\r\nIdempotency-Key: gone{next(NUMBERS)}\r\n".encode()
    headers = head + b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
    with user_server.connect() as connection:
        connection.sendall(headers + body)
        until("a stored event", lambda: user_server.rows()["events"] > before)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # reset, do not close
    with user_server.connect() as connection:
        connection.sendall(headers + body)
        assert answer_on(connection).status == 201
    assert user_server.rows()["events"] == before + 1


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    database = Database(f"sqlite:///{tmp_path}/user.db")
    yield Service(database)
    database.close()


@pytest.fixture
def impatient(service: Service) -> Iterator[int]:
    """The port of a server that gives a request half a second to arrive."""
    port, metrics = free_ports(2)
    settings = Settings(
        kafka_bootstrap_servers="nobody:1", database_url="-", http_host=HOST, http_port=port, metrics_port=metrics
    )
    health = Health()
    server = Server(service.app, settings, health, request_s=0.5)
    stop = threading.Event()
    thread = threading.Thread(target=server.run, args=(stop,))
    thread.start()
    until("the server listens", health.missing, lambda missing: "http" not in missing, 30)
    with service.running():
        yield port
        stop.set()
        thread.join(30)
    assert not thread.is_alive()


def test_slow_headers(impatient: int) -> None:
    """Slow headers: time-out, however regularly another byte comes, on the first request and on a later one."""
    with socket.create_connection((HOST, impatient), timeout=30) as connection:
        connection.sendall(b"GET /users HTTP/1.1\r\nHost: x\r\n\r\n")
        assert answer_on(connection).status == 200
        assert not write(connection, drops())
        assert "0.5 s" in refused(answer_on(connection), 408)
        assert connection.recv(1) == b""


def drops() -> Iterator[bytes]:
    """Yield a head that does not end for half a minute, a bit at a time."""
    yield b"GET /users HTTP/1.1\r\nHost: x\r\n"
    for number in range(600):
        threading.Event().wait(0.05)
        yield b"X-%d: x\r\n" % number


def test_a_slow_body(impatient: int, service: Service) -> None:
    """Slow headers' cousin, a body that never ends: the connection is closed, nothing is committed."""
    with socket.create_connection((HOST, impatient), timeout=30) as connection:
        connection.sendall(ENDLESS + b"1\r\n{\r\n")
        assert b"201" not in b"".join(iter(lambda: connection.recv(1000), b""))
    assert service.events() == []


def test_an_endless_head(untouched: UserServer) -> None:
    """Headers without end: refused at the limit."""
    with untouched.connect() as connection:
        connection.sendall(b"GET /users HTTP/1.1\r\n")
        line = b"X: " + b"x" * 1000 + b"\r\n"
        # With more on its way, the server's close may overtake its answer as a reset.
        with contextlib.suppress(ConnectionError):
            assert not write(connection, repeat(line, 500 * LARGEST_HEAD // len(line)))
            assert refused(answer_on(connection), 431)


def test_what_is_no_http(untouched: UserServer) -> None:
    """Bytes that are no HTTP: 400."""
    with untouched.connect() as connection:
        connection.sendall(b"\x16\x03\x01 a TLS hello, perhaps\r\n\r\n")
        assert refused(answer_on(connection), 400)
