"""The client of a witness, exchange by exchange, against a server that answers as it is asked to."""

import threading
from collections.abc import Iterator
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import msgspec
import pytest

from services.chassis.transparency import keys
from services.chassis.transparency.checkpoint import Checkpoint
from services.chassis.transparency.keys import Signer
from services.chassis.transparency.note import Note
from services.chassis.transparency.witness_client import (
    WitnessBehindError,
    WitnessClient,
    WitnessRefusedError,
    WitnessUnreachableError,
)
from services.workbench.local.free_ports import free_ports

LOG, WITNESS = Signer("log.example", bytes(32)), Signer("w.example", b"\x01" * 32)
TEXT = Checkpoint("log.example", 7, b"\x07" * 32).text()
NOTE = keys.signed(TEXT, [LOG])


class Witness(msgspec.Struct):
    """The answer of the server, and the last request."""

    url: str
    status: int = 200
    content_type: str | None = None
    body: bytes = b""
    asked: tuple[str, str, bytes] = ("", "", b"")

    def client(self) -> WitnessClient:
        return WitnessClient(self.url + "/prefix/", WITNESS.cosignature_verifier, timeout_s=5)


@pytest.fixture
def witness() -> Iterator[Witness]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            answer.asked = (self.command, self.path, self.rfile.read(int(self.headers.get("content-length", 0))))
            self.send_response(answer.status)
            if answer.content_type:
                self.send_header("content-type", answer.content_type)
            self.send_header("content-length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        do_GET = do_POST  # noqa: N815  # the name is http.server's

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        answer = Witness(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield answer
        server.shutdown()
        thread.join()


def test_a_checkpoint_is_sent_in_the_form_of_the_specification_and_its_cosignature_returned(witness: Witness) -> None:
    line = WITNESS.cosign(TEXT, 1000)
    witness.body = (line + Signer("another.example", bytes(32)).cosign(TEXT, 1000)).encode()
    assert witness.client().add(3, [bytes(32)], NOTE) == [line]
    body = b"old 3\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n" + NOTE
    assert witness.asked == ("POST", "/prefix/add-checkpoint", body)


def test_the_size_of_a_witness_that_has_another_is_reported(witness: Witness) -> None:
    witness.status, witness.content_type, witness.body = 409, "text/x.tlog.size", b"70000\n"
    with pytest.raises(WitnessBehindError) as behind:
        witness.client().add(0, [], NOTE)
    assert behind.value.size == 70_000


@pytest.mark.parametrize(
    ("status", "content_type", "body"),
    [
        (404, None, b"unknown log"),
        (403, None, b"unknown key"),
        (422, None, b"a fork"),
        (500, None, b""),
        (302, None, b""),
        (409, "text/plain", b"7\n"),
        (409, "text/x.tlog.size", b"07\n"),
        (409, "text/x.tlog.size", b"\xff"),
        (200, None, b""),
        (200, None, b"\xff\n"),
        (200, None, WITNESS.cosign("another text\n", 1000).encode()),
        (200, None, WITNESS.sign(TEXT).encode()),
        (200, None, LOG.cosign(TEXT, 1000).encode()),
    ],
)
def test_any_other_answer_is_a_refusal(witness: Witness, status: int, content_type: str | None, body: bytes) -> None:
    witness.status, witness.content_type, witness.body = status, content_type, body
    with pytest.raises(WitnessRefusedError, match=str(status)) as refused:
        witness.client().add(0, [], NOTE)
    assert refused.value.status == status


def test_the_newest_note_is_returned_if_it_is_cosigned(witness: Witness) -> None:
    witness.body = bytes(Note.parse(NOTE).with_lines([WITNESS.cosign(TEXT, 1000)]))
    assert witness.client().latest("log.example") == witness.body
    assert witness.asked == ("GET", f"/prefix/{sha256(b'log.example').hexdigest()}/checkpoint", b"")
    witness.body = NOTE
    with pytest.raises(WitnessRefusedError, match="not cosigned"):
        witness.client().latest("log.example")


def test_a_witness_without_a_note_has_none_and_a_broken_one_is_an_error(witness: Witness) -> None:
    witness.status = 404
    assert witness.client().latest("log.example") is None
    witness.status = 500
    with pytest.raises(WitnessRefusedError):
        witness.client().latest("log.example")


def test_a_witness_that_does_not_answer_is_unreachable() -> None:
    client = WitnessClient(f"http://127.0.0.1:{free_ports(1)[0]}", WITNESS.cosignature_verifier)
    with pytest.raises(WitnessUnreachableError, match=r"127\.0\.0\.1"):
        client.add(0, [], NOTE)
    with pytest.raises(ConnectionError):
        client.latest("log.example")


@pytest.mark.parametrize("url", ["", "w.example", "ftp://w.example", "http://"])
def test_another_text_is_no_url(url: str) -> None:
    with pytest.raises(ValueError, match="URL of a witness"):
        WitnessClient(url, WITNESS.cosignature_verifier)
