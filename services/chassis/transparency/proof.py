"""Proofs as files: that an entry is in a log, with the signed checkpoint that proves it (C2SP tlog-proof)."""

import re

import msgspec

from services.chassis.transparency.canonical_base64 import decoded, encoded
from services.chassis.transparency.policy import Checked, Policy
from services.chassis.transparency.tree import HASH_BYTES, root_of_inclusion

HEADER = "c2sp.org/tlog-proof@v1"
MOST_HASHES = 63
_INDEX = re.compile(r"index (0|[1-9]\d{0,18})", re.ASCII)


class ProofError(ValueError):
    """A proof is malformed, or does not lead to the checkpoint's root."""


class Proof(msgspec.Struct, frozen=True):
    """An inclusion proof. `checkpoint` is a signed note; `extra` is covered by no signature."""

    index: int
    hashes: tuple[bytes, ...]
    checkpoint: bytes
    extra: bytes | None = None

    def __bytes__(self) -> bytes:
        """Return the file's bytes."""
        extra = [] if self.extra is None else [f"extra {encoded(self.extra)}"]
        lines = [HEADER, *extra, f"index {self.index}", *map(encoded, self.hashes), ""]
        return "".join(f"{line}\n" for line in lines).encode() + self.checkpoint

    @classmethod
    def parse(cls, data: bytes) -> "Proof":
        """Return the proof of a file's bytes. Raises ProofError."""
        head, blank, checkpoint = data.removeprefix(f"{HEADER}\n".encode()).partition(b"\n\n")
        if not data.startswith(f"{HEADER}\n".encode()) or not blank:
            raise ProofError(f"not a proof: it needs the first line {HEADER!r}, and an empty line after the hashes")
        try:
            lines = head.decode().split("\n")
            extra = decoded(lines.pop(0)[len("extra ") :]) if lines and lines[0].startswith("extra ") else None
            return cls(_index(lines[:1]), _hashes(lines[1:]), checkpoint, extra)
        except UnicodeDecodeError as error:
            raise ProofError(f"not a proof: not UTF-8 at byte {error.start}") from None
        except ProofError:
            raise
        except ValueError as error:
            raise ProofError(f"not a proof: {error}") from None

    def check(self, leaf: bytes, policy: Policy) -> Checked:
        """Return the checkpoint that proves a leaf. Raises NoteError for its signatures, ProofError for the rest."""
        checked = policy.check(self.checkpoint)
        try:
            root = root_of_inclusion(leaf, self.index, checked.checkpoint.size, self.hashes)
        except ValueError as error:
            raise ProofError(str(error)) from None
        if root != checked.checkpoint.root:
            raise ProofError(f"the proof of entry {self.index} does not lead to the root of the checkpoint")
        return checked


def _index(lines: list[str]) -> int:
    found = _INDEX.fullmatch(lines[0]) if lines else None
    if not found:
        raise ProofError("not a proof: it needs a line with the index")
    return int(found[1])


def _hashes(lines: list[str]) -> tuple[bytes, ...]:
    hashes = tuple(map(decoded, lines))
    if len(hashes) > MOST_HASHES or any(len(each) != HASH_BYTES for each in hashes):
        raise ProofError(f"not a proof: it needs at most {MOST_HASHES} hashes of {HASH_BYTES} bytes")
    return hashes
