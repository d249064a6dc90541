"""Servers of a key set that answer badly: each is an error with its reason, in bounded time."""

import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from services.chassis.http.auth import key_set
from services.chassis.http.auth.key_set import LARGEST_SET, KeySetError
from services.chassis.http.auth.settings import AuthSettings
from services.chassis.net.http_exchange import Answer, ExchangeError, Limits, Request, exchange
from services.workbench.local.ports import HOST
from tests.support.issuer import PRIVATE, public_jwk

HEAD = b"HTTP/1.1 200 OK\r\n"
QUICK = Limits(0.5, 1000)
Serve = Callable[[socket.socket, threading.Event], None]


@contextmanager
def server(serve: Serve) -> Iterator[str]:
    """Serve one connection; the event is set at the end."""
    ended = threading.Event()
    with socket.create_server((HOST, 0)) as listening:

        def accept() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(4096)
                serve(connection, ended)

        thread = threading.Thread(target=accept)
        thread.start()
        yield f"http://{HOST}:{listening.getsockname()[1]}/jwks.json"
        ended.set()
        thread.join()


def sending(content: bytes) -> Serve:
    def serve(connection: socket.socket, _: threading.Event) -> None:
        try:
            connection.sendall(content)
        except ConnectionError:
            return

    return serve


def dripping(head: bytes) -> Serve:
    """Send the head, then a byte at a time without an end: no single wait is long."""

    def serve(connection: socket.socket, ended: threading.Event) -> None:
        connection.sendall(head)
        while not ended.wait(0.05):
            try:
                connection.sendall(b"a")
            except ConnectionError:
                return

    return serve


def read(url: str) -> bytes:
    return key_set.source(AuthSettings(auth="jwt", auth_jwks_url=url, http_host=HOST))()


def refused(serve: Serve) -> str:
    with server(serve) as url, pytest.raises(KeySetError) as caught:
        read(url)
    return str(caught.value)


@pytest.mark.parametrize("head", [b"HTTP/1.1 ", HEAD + b"X: ", HEAD + b"Content-Length: 900\r\n\r\n", HEAD + b"\r\n"])
def test_an_answer_a_byte_at_a_time_ends_at_the_time_limit(head: bytes) -> None:
    begun = time.monotonic()
    with server(dripping(head)) as url, pytest.raises(ExchangeError, match="no whole answer within"):
        exchange(urlsplit(url), Request("/"), QUICK)
    assert time.monotonic() - begun < key_set.TIMEOUT_S


def test_a_whole_answer_is_returned() -> None:
    with server(sending(HEAD + b"Content-Type: a/b\r\nContent-Length: 2\r\n\r\n{}")) as url:
        assert exchange(urlsplit(url), Request("/"), QUICK) == Answer(200, "a/b", b"{}")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"HTTP/1.1 302 Found\r\nLocation: http://a.org/\r\n\r\n", "status 302, and no redirect is followed"),
        (b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", "status 500"),
        (HEAD + b"Content-Length: 10000000\r\n\r\n" + b"x" * 10_000_000, f"more than {LARGEST_SET} bytes"),
        (HEAD + b"Content-Length: 100\r\n\r\n{}", "ends too early"),
        (b"hello\r\n\r\n", "not an HTTP answer"),
        (b"", "without response"),
    ],
)
def test_a_bad_answer_has_its_reason(answer: bytes, reason: str) -> None:
    assert reason in refused(sending(answer))


def test_a_key_set_file_is_a_file_of_bounded_size(tmp_path: Path) -> None:
    pipe, large, good = tmp_path / "pipe", tmp_path / "large", tmp_path / "good"
    os.mkfifo(pipe)
    large.write_bytes(b" " * (LARGEST_SET + 1))
    good.write_text(json.dumps({"keys": [public_jwk("EdDSA", PRIVATE["EdDSA"])]}))

    def from_file(path: Path) -> bytes:
        return key_set.source(AuthSettings(auth="jwt", auth_jwks_file=str(path), http_host=HOST))()

    assert key_set.parse(from_file(good))
    for path, reason in {pipe: "is not a file", tmp_path: "is not a file", large: "more than"}.items():
        with pytest.raises(KeySetError, match=reason):
            from_file(path)
