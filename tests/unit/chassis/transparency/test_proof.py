"""Proofs as files: read back, and refused with any change."""

import pytest

from services.chassis.transparency import keys
from services.chassis.transparency.checkpoint import Checkpoint
from services.chassis.transparency.keys import Signer
from services.chassis.transparency.note import NoteError
from services.chassis.transparency.policy import Policy
from services.chassis.transparency.proof import Proof, ProofError
from services.chassis.transparency.tree import Edge, extend, inclusion_proof, leaf_hash
from tests.unit.chassis.transparency.naive_tree import Reader

LOG = Signer("log.example", bytes(32))
ENTRIES = [b"entry %d" % number for number in range(11)]
POLICY = Policy.parse(f"log {LOG.vkey}\nquorum none")
ROOT = extend(Edge(), list(map(leaf_hash, ENTRIES)))[0].root()
NOTE = keys.signed(Checkpoint("log.example", 11, ROOT).text(), [LOG])


def a_proof(index: int = 6, extra: bytes | None = ENTRIES[6]) -> Proof:
    return Proof(index, tuple(inclusion_proof(index, 11, Reader(ENTRIES))), NOTE, extra)


@pytest.mark.parametrize("extra", [None, b"", b"entry 6"])
@pytest.mark.parametrize("index", range(11))
def test_a_proof_is_read_back_and_holds(index: int, extra: bytes | None) -> None:
    proof = Proof.parse(bytes(a_proof(index, extra)))
    assert proof == a_proof(index, extra)
    assert proof.check(leaf_hash(ENTRIES[index]), POLICY).checkpoint.size == 11


def test_a_log_of_one_entry_has_a_proof_without_hashes() -> None:
    leaf = leaf_hash(b"one")
    proof = Proof(0, (), keys.signed(Checkpoint("log.example", 1, leaf).text(), [LOG]))
    assert Proof.parse(bytes(proof)).check(leaf, POLICY).checkpoint.root == leaf


def test_a_proof_has_the_form_of_the_specification() -> None:
    lines = bytes(a_proof()).decode().split("\n")
    assert lines[:3] == ["c2sp.org/tlog-proof@v1", "extra ZW50cnkgNg==", "index 6"]
    assert lines[7:9] == ["", "log.example"]


def test_every_flipped_bit_of_a_proof_is_found() -> None:
    data = bytes(a_proof(extra=None))
    for at in range(len(data)):
        for bit in range(8):
            changed = bytearray(data)
            changed[at] ^= 1 << bit
            with pytest.raises((ProofError, NoteError)):
                Proof.parse(bytes(changed)).check(leaf_hash(ENTRIES[6]), POLICY)


def test_a_proof_is_of_its_entry_and_of_no_other() -> None:
    with pytest.raises(ProofError, match="does not lead"):
        a_proof().check(leaf_hash(ENTRIES[5]), POLICY)


def test_a_proof_with_a_hash_too_few_or_too_many_is_refused() -> None:
    for hashes in (a_proof().hashes[:-1], (*a_proof().hashes, bytes(32))):
        with pytest.raises(ProofError, match=r"too short|too long"):
            Proof(6, hashes, NOTE).check(leaf_hash(ENTRIES[6]), POLICY)
    with pytest.raises(ProofError, match="at most 63"):
        Proof.parse(bytes(Proof(6, (bytes(32),) * 64, NOTE)))


@pytest.mark.parametrize(
    "data",
    [b"", b"c2sp.org/tlog-proof@v1\n", b"c2sp.org/tlog-proof@v1\n\n", b"\xff\n\n",
     b"c2sp.org/tlog-proof@v1\nindex 01\n\n",
     b"c2sp.org/tlog-proof@v1\nextra ?\nindex 1\n\n", b"c2sp.org/tlog-proof@v1\nindex 1\nAAAA\n\n"],
)  # fmt: skip
def test_other_bytes_are_no_proof(data: bytes) -> None:
    with pytest.raises(ProofError, match="not a proof"):
        Proof.parse(data)
