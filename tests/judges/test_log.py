"""tessera's fsck, torchwood's client and golang.org/x/mod accept a log of our formats, and refuse each change of it."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from services.chassis.transparency.note import Note
from services.chassis.transparency.proof import Proof
from services.chassis.transparency.tree import node_hash
from tests.judges.built_log import ORIGIN, BuiltLog
from tests.support.judge_programs import own_judge, run, sumdb

pytestmark = pytest.mark.long
SIZE = 66_000  # entries: tiles of three levels, full and partial
INDEXES = (0, 1, 255, 256, 40_000, 65_535, 65_536, SIZE - 1)
SIZES = (1, 2, 255, 256, 257, 40_000, 65_536, SIZE)


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> BuiltLog:
    built = BuiltLog(tmp_path_factory.mktemp("log"), [b"entry %d" % number for number in range(SIZE)])
    built.write()
    built.write_file("policy", built.policy.encode())
    return built


@contextmanager
def changed(log: BuiltLog, name: str, change: Callable[[bytes], bytes]) -> Iterator[None]:
    """Change one file of the log for a while."""
    path = log.folder / name
    before = path.read_bytes()
    assert change(before) != before
    path.write_bytes(change(before))
    yield
    path.write_bytes(before)


def fsck(log: BuiltLog) -> subprocess.CompletedProcess[str]:
    return run(own_judge("fsckexit"), log.folder, ORIGIN, log.signer.vkey)


def all_entries(log: BuiltLog) -> subprocess.CompletedProcess[str]:
    return run(own_judge("allentries"), log.folder, log.folder / "policy")


def flipped(at: int) -> Callable[[bytes], bytes]:
    return lambda content: content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


def test_fsck_calls_the_log_whole(log: BuiltLog) -> None:
    done = fsck(log)
    assert (done.returncode, done.stdout) == (0, "whole\n"), done.stderr


def test_torchwood_reads_every_entry(log: BuiltLog) -> None:
    done = all_entries(log)
    assert (done.returncode, done.stdout) == (0, f"{SIZE}\n"), done.stderr


CHANGES = {
    "entry": ("tile/entries/100", flipped(20)),
    "leaf tile": ("tile/0/100", flipped(33)),
    "partial leaf tile": ("tile/0/257.p/208", flipped(0)),
    "tile of level 1": ("tile/1/000", flipped(0)),
    "partial tile of level 1": ("tile/1/001.p/1", flipped(0)),
    "tile of level 2": ("tile/2/000.p/1", flipped(0)),
    "size": ("checkpoint", lambda content: content.replace(b"\n66000\n", b"\n65999\n")),
    "origin": ("checkpoint", lambda content: content.replace(b"eventline.local/audit\n", b"eventline.local/other\n")),
    "signature": (
        "checkpoint",
        lambda content: content.replace("— eventline.local/audit ".encode(), "— other ".encode()),
    ),
}


@pytest.mark.parametrize(("name", "change"), CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("judge", [fsck, all_entries])
def test_a_changed_log_is_refused(log: BuiltLog, judge: Callable[[BuiltLog], Any], name: str, change: Any) -> None:
    with changed(log, name, change):
        assert judge(log).returncode == 1


def test_torchwood_refuses_an_entry_too_many(log: BuiltLog) -> None:
    with changed(log, "tile/entries/257.p/208", lambda content: content + b"\x00\x01x"):
        done = all_entries(log)
    assert done.returncode == 1
    assert "leftover data" in done.stderr


def test_torchwood_refuses_a_checkpoint_without_the_cosignature_that_its_policy_needs(log: BuiltLog) -> None:
    with changed(log, "checkpoint", lambda _: log.note(cosigned=False)):
        assert all_entries(log).returncode == 1


def verified(log: BuiltLog, entry: bytes, proof: bytes) -> int:
    log.write_file("entry", entry)
    log.write_file("proof", proof)
    folder = log.folder
    return run(own_judge("verifyproof"), folder / "policy", folder / "entry", folder / "proof").returncode


@pytest.mark.parametrize("index", INDEXES)
def test_torchwood_accepts_our_proof_of_an_entry_and_no_other(log: BuiltLog, index: int) -> None:
    proof = log.proof(index)
    assert verified(log, log.entries[index], bytes(proof)) == 0
    assert verified(log, log.entries[index - 1], bytes(proof)) == 1
    assert verified(log, log.entries[index], bytes(Proof((index + 1) % SIZE, proof.hashes, proof.checkpoint))) == 1
    assert verified(log, log.entries[index], bytes(Proof(index, proof.hashes[1:], proof.checkpoint))) == 1
    assert verified(log, log.entries[index], bytes(Proof(index, proof.hashes, log.note(cosigned=False)))) == 1


def a_document(log: BuiltLog) -> dict[str, Any]:
    """Return all that x/mod judges: each note, and each proof between the sizes and of the indexes."""
    roots = {size: log.root(size) for size in SIZES}
    return {
        "vkey": log.signer.vkey,
        "notes": [log.note(), log.note(cosigned=False)],
        "inclusion": [
            {
                "index": index,
                "size": SIZE,
                "leaf": log.read(0, index, 1)[0],
                "root": roots[SIZE],
                "proof": log.proof(index).hashes,
            }
            for index in INDEXES
        ],
        "consistency": [
            {
                "old": old,
                "new": new,
                "oldRoot": roots[old],
                "newRoot": roots[new],
                "proof": log.consistency(old, new),
            }
            for old in SIZES
            for new in SIZES
            if old < new
        ],
    }


def test_x_mod_accepts_our_notes_and_proofs(log: BuiltLog) -> None:
    done = sumdb(a_document(log))
    assert (done.returncode, done.stdout) == (0, "2 8 28\n"), done.stderr


def test_x_mod_refuses_a_bad_one_of_each(log: BuiltLog) -> None:
    document = a_document(log)
    other = Note(Note.parse(log.note()).text.replace("66000", "66001"), Note.parse(log.note()).signatures)
    document["notes"].append(bytes(other))
    document["inclusion"][3]["leaf"] = bytes(32)
    document["consistency"][5]["oldRoot"] = node_hash(bytes(32), bytes(32))
    done = sumdb(document)
    assert done.returncode == 1
    assert [line.split(":")[0] for line in done.stderr.splitlines()] == ["note 2", "inclusion 3", "consistency 5"]
