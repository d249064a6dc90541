"""BAD-INPUT, surface HTTP, as raw bytes on a connection: what never ends, comes too slowly, or is no HTTP."""

import contextlib
import json
import re
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
from tests.support.user_process import NUMBERS, UserServer, a_person, answer_on, refused, write

ASSET = b"GET /schema/assets/swagger-ui-bundle.js HTTP/1.1\r\nHost: x\r\n\r\n"
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


GET = b"GET /users HTTP/1.1\r\nHost: x\r\n\r\n"
HEAD = b"POST /users HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n"
STUCK = {
    "a part of a head": (b"GET /users HT", [408]),
    "a head": (HEAD, [408]),
    "a part of a body": (HEAD + b"{", [408]),
    "a chunk": (ENDLESS + b"1\r\n{\r\n", [408]),
    "a body that is asked for": (HEAD.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n"), [100, 408]),
    "a body of another type": (HEAD.replace(b"json", b"text"), [415]),
    "a body for nobody": (HEAD.replace(b"/users", b"/nowhere"), [404]),
}


def test_a_request_whose_rest_never_comes(impatient: int, service: Service) -> None:
    """A pipelined request whose body never comes: the connection is closed after the same time as a single one."""
    cases = [(before, name) for before in (0, 1, 3) for name in STUCK]
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(socket.create_connection((HOST, impatient), timeout=30)) for _ in cases]
        for (before, name), connection in zip(cases, connections, strict=True):
            connection.sendall(GET * before + STUCK[name][0])
        found = dict(zip(cases, map(statuses, connections), strict=True))
    assert found == {(before, name): [200] * before + STUCK[name][1] for before, name in cases}
    assert service.events() == []


def statuses(connection: socket.socket) -> list[int]:
    """Return the status of each answer until the server closes the connection."""
    received = b"".join(iter(lambda: connection.recv(100_000), b""))
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d+) ", received)]


def test_pipelined_requests_are_answered_in_order_and_the_connection_stays(impatient: int) -> None:
    """The time of a request starts when it comes, however long the connection has been open."""
    with socket.create_connection((HOST, impatient), timeout=30) as connection:
        for _ in range(4):  # each pause is shorter than the limit, all together are longer
            connection.sendall(GET + HEAD.replace(b"100", b"2") + b"{}" + GET)
            received = b""
            while received.count(b'"next":null}') < 2:
                received += connection.recv(10_000)
            assert re.findall(rb"HTTP/1\.1 (\d+) ", received) == [b"200", b"422", b"200"]
            threading.Event().wait(0.2)


def test_a_request_that_waits_behind_a_slow_answer_is_not_timed(impatient: int, service: Service) -> None:
    """While an answer is outstanding the server does not read: the time of the next request starts with the answer."""
    service.slow_s = 1.2
    body = json.dumps(a_person()).encode()
    head = HEAD.replace(b"100", b"%d" % len(body))
    with socket.create_connection((HOST, impatient), timeout=30) as connection:
        connection.sendall(head + body + head)
        assert answer_on(connection).status == 201
        service.slow_s = 0.0
        connection.sendall(body)
        assert answer_on(connection).status == 409


def test_an_idle_connection(impatient: int) -> None:
    """A connection that sends nothing after an answer is closed, even if it sends empty lines."""
    with socket.create_connection((HOST, impatient), timeout=30) as connection:
        connection.sendall(GET)
        assert answer_on(connection).status == 200
        assert not write(connection, slowly(b"\r\n"))


def test_an_answer_that_nobody_reads(impatient: int) -> None:
    """A client that does not read its answers: the server gives the connection up after the same time."""
    before = open_files()
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect((HOST, impatient))
        connection.sendall(ASSET * 20)
        until("both sides have the connection", open_files, lambda number: number >= before + 2)
        until("the server has closed its side", open_files, lambda number: number <= before + 1, 20)


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def slowly(piece: bytes) -> Iterator[bytes]:
    for _ in range(600):
        threading.Event().wait(0.05)
        yield piece


@pytest.mark.parametrize("upgrade", ["websocket", "h2c"])
def test_an_upgrade_does_not_end_the_limits(impatient: int, upgrade: str) -> None:
    """A request for another protocol is answered as if it had not asked, and the connection closed as any other."""
    asked = f"GET /users HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: {upgrade}\r\n\r\n".encode()
    with socket.create_connection((HOST, impatient), timeout=30) as connection:
        connection.sendall(asked)
        assert answer_on(connection).status == 200
        assert not write(connection, slowly(b"x"))


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


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (b"", 400),
        (b"Host: x\r\nHost: x\r\n", 400),
        (b"Host: x\r\nHOST: y\r\n", 400),
        (b"Host: x y\r\n", 400),
        (b"Host: x/y\r\n", 400),
        (b"Host: user@x\r\n", 400),
        (b"Host: x:port\r\n", 400),
        (b"Host: \xc3\xa9\r\n", 400),
        (b"Host:\r\n", 200),
        (b"Host: [::1]:8080\r\n", 200),
        (b"Host: example.org.:\r\n", 200),
    ],
)
def test_the_host(untouched: UserServer, lines: bytes, status: int) -> None:
    """A missing, repeated or invalid `Host`: 400 (RFC 9112, section 3.2), on paths that exist and others."""
    for path in (b"/users", b"/nowhere", b"/schema/openapi.json"):
        with untouched.connect() as connection:
            connection.sendall(b"GET %b HTTP/1.1\r\n%b\r\n" % (path, lines))
            answer = answer_on(connection)
        assert "Host" in refused(answer, 400) if status == 400 else answer.status in {200, 404}


def test_http_1_0_needs_no_host(untouched: UserServer) -> None:
    """A missing `Host` in HTTP/1.0, which does not know it: served."""
    with untouched.connect() as connection:
        connection.sendall(b"GET /users HTTP/1.0\r\n\r\n")
        assert answer_on(connection).status == 200


@pytest.mark.parametrize("name", ["Content-Type", "Idempotency-Key"])
def test_a_header_that_is_given_twice(untouched: UserServer, name: str) -> None:
    """A repeated header of which there can be one: 400."""
    lines = f"Content-Type: application/json\r\n{name}: application/json\r\nIdempotency-Key: k\r\n"
    with untouched.connect() as connection:
        connection.sendall(f"POST /users HTTP/1.1\r\nHost: x\r\n{lines}Content-Length: 2\r\n\r\n{{}}".encode())
        assert name in refused(answer_on(connection), 400)
