"""Rules of a witness (C2SP tlog-witness): the form of a request, and whether a checkpoint extends the last one."""

import re

import msgspec

from services.chassis.transparency import tree
from services.chassis.transparency.canonical_base64 import decoded
from services.chassis.transparency.checkpoint import LARGEST_SIZE, Checkpoint
from services.chassis.transparency.tree import HASH_BYTES

MOST_PROOF_LINES = 63
OLD = re.compile(rb"old (0|[1-9][0-9]{0,18})")


class RefusedError(Exception):
    """The witness does not cosign; the message gives the fault."""


class MalformedError(RefusedError):
    """The request, its note or its checkpoint has not the specified form."""


class UnknownLogError(RefusedError):
    """The checkpoint is of an origin that the witness does not know."""


class UntrustedError(RefusedError):
    """No key of the log has signed the checkpoint, or its signature is wrong."""


class InconsistentError(RefusedError):
    """The checkpoint is not proved to extend the cosigned one."""


class StaleError(RefusedError):
    """The request extends another size than that of the newest cosigned checkpoint, which is `size`."""

    def __init__(self, size: int) -> None:
        super().__init__(f"the newest cosigned checkpoint has size {size}")
        self.size = size


class Addition(msgspec.Struct, frozen=True):
    """A request to cosign: the size that the client takes for the cosigned one, the proof from it, the signed note."""

    old: int
    proof: tuple[bytes, ...]
    note: bytes


class Cosigned(msgspec.Struct, frozen=True):
    """Size and root of the newest checkpoint of a log that the witness has cosigned."""

    size: int
    root: bytes


def parse(body: bytes) -> Addition:
    """Return a request: `old SIZE`, lines of a proof, an empty line, the signed note. Raises MalformedError."""
    head, separator, note = body.partition(b"\n\n")
    if not separator:
        raise MalformedError("the body has no empty line between the proof and the checkpoint")
    first, *lines = head.split(b"\n")
    old = OLD.fullmatch(first)
    if old is None:
        raise MalformedError("the first line is not `old SIZE` with a decimal size without leading zeroes")
    if len(lines) > MOST_PROOF_LINES:
        raise MalformedError(f"the proof has {len(lines)} lines, the most is {MOST_PROOF_LINES}")
    return Addition(int(old[1]), tuple(map(_hash, lines)), note)


def _hash(line: bytes) -> bytes:
    try:
        found = decoded(line.decode())
    except ValueError as error:
        raise MalformedError("a line of the proof is not the canonical base64 of a hash of 32 bytes") from error
    if len(found) != HASH_BYTES:
        raise MalformedError("a line of the proof is not the canonical base64 of a hash of 32 bytes")
    return found


def require_possible(addition: Addition, checkpoint: Checkpoint) -> None:
    """Compare the sizes of a request. Raises MalformedError if the old one is the larger, or one is too large."""
    if checkpoint.size > LARGEST_SIZE:
        raise MalformedError(f"a size is at most {LARGEST_SIZE}")
    if addition.old > checkpoint.size:
        raise MalformedError(f"the old size {addition.old} is larger than the checkpoint's, {checkpoint.size}")


def require_extension(cosigned: Cosigned, addition: Addition, checkpoint: Checkpoint) -> None:
    """Check that a checkpoint extends the cosigned one. Raises StaleError, InconsistentError."""
    if addition.old != cosigned.size:
        raise StaleError(cosigned.size)
    try:
        tree.check_consistency(addition.old, checkpoint.size, addition.proof, cosigned.root, checkpoint.root)
    except ValueError as error:
        raise InconsistentError(f"{checkpoint.size} does not extend {cosigned.size}: {error}") from error
