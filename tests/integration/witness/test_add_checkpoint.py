"""`POST /add-checkpoint` and the monitor's GET: a test for each answer that depends on the store, on both databases.

The others are in `tests/unit/witness/test_refusals.py`.
"""

import base64
from collections.abc import Iterator, Sequence
from datetime import timedelta
from hashlib import sha256

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from services.chassis.database.database import Database
from services.chassis.http.application import application
from services.chassis.transparency import keys
from services.chassis.transparency.checkpoint import Checkpoint
from services.chassis.transparency.keys import Signer, Verifier
from services.chassis.transparency.note import Note
from services.chassis.transparency.tree import EMPTY_ROOT
from services.witness import api, store
from services.witness.domain import Cosigned, StaleError
from services.witness.store import Next
from tests.support.builders import NOW
from tests.support.witnessed_log import WitnessedLog, body, consistency, root
from tests.support.witnesses import a_witness

SIZE_TYPE = "text/x.tlog.size"
Client = TestClient[Litestar]


class Bench:
    """A witness that knows one log, and its client. The time moves a second with each request."""

    def __init__(self, client: Client, log: WitnessedLog, signer: Signer) -> None:
        self.client = client
        self.log = log
        self.verifier = Verifier.parse(signer.cosignature_vkey)

    def send(self, content: bytes) -> tuple[int, str, bytes]:
        """Return status, media type and body of the answer. No Content-Type is sent, as tessera's client does."""
        answer = self.client.post("/add-checkpoint", content=content)
        return answer.status_code, answer.headers["content-type"], answer.content

    def status(self, content: bytes) -> int:
        """Return the status alone."""
        return self.send(content)[0]

    def cosigned(self, old: int, size: int) -> int:
        """Return the time of the cosignature of a size, once it has been verified."""
        status, media, line = self.send(self.log.request(old, size))
        assert (status, media) == (200, "text/plain; charset=utf-8"), line
        signed = Note.parse(self.log.note(size) + line)
        (signature,) = [one for one in signed.signatures if one.key_id == self.verifier.key_id]
        self.verifier.verify(signed.text, signature)
        return int.from_bytes(signature.content[:8])


@pytest.fixture
def bench(database: Database) -> Iterator[Bench]:
    log = WitnessedLog()
    signer = Signer.parse(keys.new_key("witness.example/w1"))
    times = (NOW + timedelta(seconds=second) for second in range(1000))
    witness = a_witness(database, signer, log, clock=lambda: next(times))
    with TestClient(application(api.routes(witness), api.DOCUMENT)) as client:
        yield Bench(client, log, signer)


def test_sizes_are_cosigned_one_after_the_other_each_with_a_valid_cosignature(bench: Bench) -> None:
    for old, size in [(0, 0), (0, 3), (3, 3), (3, 4), (4, 7), (7, 64), (64, 100), (100, 1000)]:
        bench.cosigned(old, size)


def test_the_same_size_is_cosigned_again_with_a_new_time(bench: Bench) -> None:
    bench.cosigned(0, 5)
    assert bench.cosigned(5, 5) < bench.cosigned(5, 5)


def test_the_size_zero_is_cosigned_as_the_first_request_of_tesseras_client(bench: Bench) -> None:
    bench.cosigned(0, 0)
    bench.cosigned(0, 3)


def test_another_size_than_the_cosigned_one_is_409_with_that_size_and_its_own_media_type(bench: Bench) -> None:
    bench.cosigned(0, 7)
    for old in (0, 3, 6, 11):
        assert bench.send(bench.log.request(old, 11)) == (409, SIZE_TYPE, b"7\n")


def test_before_the_first_checkpoint_every_old_size_but_zero_is_409_with_zero(bench: Bench) -> None:
    assert bench.send(bench.log.request(2, 3)) == (409, SIZE_TYPE, b"0\n")


def replaced(proof: Sequence[bytes]) -> list[bytes]:
    return [b"x" * 32, *proof[1:]]


def test_a_wrong_short_empty_or_long_proof_is_422(bench: Bench) -> None:
    bench.cosigned(0, 7)
    right = consistency(7, bench.log.entries(11))
    for proof in (replaced(right), right[:-1], [], [*right, b"x" * 32]):
        assert bench.status(body(7, proof, bench.log.note(11))) == 422


def test_the_same_size_with_another_root_is_422(bench: Bench) -> None:
    bench.cosigned(0, 7)
    assert bench.status(bench.log.forked_at(3).request(7, 7)) == 422


def test_a_larger_tree_of_a_fork_is_422_and_the_true_one_goes_on(bench: Bench) -> None:
    bench.cosigned(0, 7)
    assert bench.status(bench.log.forked_at(3).request(7, 11)) == 422
    bench.cosigned(7, 11)


def test_the_same_size_with_a_proof_is_422(bench: Bench) -> None:
    bench.cosigned(0, 7)
    assert bench.status(body(7, [b"x" * 32], bench.log.note(7))) == 422


def test_a_proof_from_nothing_is_422(bench: Bench) -> None:
    assert bench.status(body(0, [b"x" * 32], bench.log.note(3))) == 422


def test_the_size_zero_with_a_wrong_root_is_422(bench: Bench) -> None:
    wrong = f"{bench.log.origin}\n0\n{base64.b64encode(b'x' * 32).decode()}\n"
    assert bench.status(body(0, [], bench.log.signed(wrong))) == 422


def test_any_content_type_is_taken(bench: Bench) -> None:
    for old, media in enumerate(("text/plain", "application/octet-stream", "application/json")):
        headers = {"Content-Type": media}
        answer = bench.client.post("/add-checkpoint", content=bench.log.request(old, old + 1), headers=headers)
        assert answer.status_code == 200


def test_a_second_key_of_the_same_origin_is_trusted_beside_the_first(database: Database) -> None:
    log, rotated = WitnessedLog(), WitnessedLog()
    witness = a_witness(database, Signer.parse(keys.new_key("witness.example/w1")), log, rotated)
    witness.add(log.request(0, 3))
    witness.add(rotated.request(3, 5))


def test_a_monitor_reads_the_newest_checkpoint_with_both_signatures(bench: Bench) -> None:
    path = f"/{sha256(bench.log.origin.encode()).hexdigest()}/checkpoint"
    assert bench.client.get(path).status_code == 404
    bench.cosigned(0, 3)
    bench.cosigned(3, 7)
    answer = bench.client.get(path)
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    found = Note.parse(answer.content)
    assert answer.content.startswith(bench.log.note(7))
    assert [one.key_id for one in found.signatures] == [bench.log.signer.verifier.key_id, bench.verifier.key_id]
    bench.verifier.verify(found.text, found.signatures[1])


def test_a_monitor_of_an_unknown_log_gets_404(bench: Bench) -> None:
    for digest in ("0" * 64, "", "x", bench.log.origin.replace("/", "%2F")):
        assert bench.client.get(f"/{digest}/checkpoint").status_code == 404


def test_of_two_requests_that_have_read_the_same_size_one_is_stored(database: Database) -> None:
    """Compare-and-set: a store without locks would cosign both."""
    log = WitnessedLog()
    a_witness(database, Signer.parse(keys.new_key("witness.example/w1")), log)
    before = Cosigned(0, EMPTY_ROOT)
    first, second = (
        Next(Checkpoint(log.origin, size, root(log.entries(size))), log.signer.vkey, b"note") for size in (3, 4)
    )
    with database.write() as connection:
        store.advance(connection, before, first)
    with pytest.raises(StaleError, match="size 3"), database.write() as connection:
        store.advance(connection, before, second)


def test_a_known_log_keeps_its_size_over_a_restart(database: Database) -> None:
    log, signer = WitnessedLog(), Signer.parse(keys.new_key("witness.example/w1"))
    a_witness(database, signer, log).add(log.request(0, 3))
    with pytest.raises(StaleError, match="size 3"):
        a_witness(database, signer, log).add(log.forked_at(0).request(0, 3))
