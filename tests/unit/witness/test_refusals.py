"""Answers of a witness that need no store: what is malformed, of an unknown log, or not signed by it."""

import base64
from collections.abc import Callable, Iterator
from unittest.mock import Mock

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from services.chassis.database.database import Database
from services.chassis.http.application import application
from services.chassis.transparency import keys
from services.chassis.transparency.keys import Signer, Verifier
from services.witness import api, bootstrap
from services.witness.handlers import Witness
from tests.support.witnessed_log import WitnessedLog, body


class Bench:
    """A witness without a store, which knows one log."""

    def __init__(self, client: TestClient[Litestar], log: WitnessedLog) -> None:
        self.client = client
        self.log = log

    def status(self, content: bytes) -> int:
        """Return the status of the answer."""
        return self.client.post("/add-checkpoint", content=content).status_code


@pytest.fixture
def bench() -> Iterator[Bench]:
    log, database = WitnessedLog(), Mock(Database)
    witness = Witness(bootstrap.known_logs([Verifier.parse(log.signer.vkey)]), database, Mock())
    with TestClient(application(api.routes(witness), api.DOCUMENT)) as client:
        yield Bench(client, log)
    assert not database.method_calls


def test_an_unknown_origin_is_404(bench: Bench) -> None:
    assert bench.status(WitnessedLog("example.org/other").request(0, 3)) == 404


def test_a_key_that_is_not_the_logs_is_403(bench: Bench) -> None:
    stranger = Signer.parse(keys.new_key(bench.log.origin))
    assert bench.status(body(0, [], bench.log.note(3, stranger))) == 403


def test_a_bad_signature_of_the_logs_key_is_403(bench: Bench) -> None:
    text, _, lines = bench.log.note(3).partition(b"\n\n")
    _, _, others = bench.log.note(4).partition(b"\n\n")
    assert lines != others
    assert bench.status(body(0, [], text + b"\n\n" + others)) == 403


ABSURD = base64.b64encode(b"x" * 32).decode()
MALFORMED: dict[str, Callable[[WitnessedLog], bytes]] = {
    "an old size above the checkpoint's": lambda log: body(5, [], log.note(3)),
    "no old": lambda log: b"\n" + log.note(3),
    "an empty body": lambda _: b"",
    "no empty line": lambda _: b"old 0\n",
    "no note": lambda _: b"old 0\n\n",
    "a leading zero": lambda log: body("00", [], log.note(3)),
    "a leading zero before a number": lambda log: body("070000", [], log.note(3)),
    "a sign": lambda log: body("+0", [], log.note(3)),
    "a blank more": lambda log: body(" 0", [], log.note(3)),
    "no number": lambda log: body("many", [], log.note(3)),
    "a carriage return": lambda log: b"old 0\r\n\n" + log.note(3),
    "bad base64": lambda log: body(0, ["?" * 44], log.note(3)),
    "base64 with unused bits": lambda log: body(0, ["A" * 42 + "B="], log.note(3)),
    "a hash of 31 bytes": lambda log: body(0, [b"x" * 31], log.note(3)),
    "64 lines": lambda log: body(0, [ABSURD] * 64, log.note(3)),
    "a note without a signature": lambda log: body(0, [], log.note(3).partition(b"\n\n")[0] + b"\n"),
    "a note without its end": lambda log: body(0, [], log.note(3)[:-1]),
    "a note that is not UTF-8": lambda log: body(0, [], log.note(3) + b"\xff\n"),
    "a checkpoint of two lines": lambda log: body(0, [], log.signed(f"{log.origin}\n3\n")),
    "a size with a leading zero": lambda log: body(0, [], log.signed(f"{log.origin}\n03\n{ABSURD}\n")),
    "a size beyond 63 bits": lambda log: body(0, [], log.signed(f"{log.origin}\n{2**63}\n{ABSURD}\n")),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_what_is_malformed_is_400(name: str, bench: Bench) -> None:
    assert bench.status(MALFORMED[name](bench.log)) == 400


def test_a_body_above_10_kib_is_413(bench: Bench) -> None:
    assert bench.status(body(0, [], bench.log.note(3)) + b"x" * 10 * 1024) == 413
