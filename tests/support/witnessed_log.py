"""A log for the tests of a witness: entries, checkpoints and proofs by the recursive definitions of RFC 6962."""

import base64
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from services.chassis.transparency import keys
from services.chassis.transparency.checkpoint import Checkpoint
from services.chassis.transparency.keys import Signer

ORIGIN = "example.org/log"


def root(entries: Sequence[bytes]) -> bytes:
    """Return the root of a tree (section 2.1)."""
    if len(entries) < 2:
        return sha256(b"\0" + entries[0]).digest() if entries else sha256(b"").digest()
    split = _split(len(entries))
    return sha256(b"\1" + root(entries[:split]) + root(entries[split:])).digest()


def consistency(old: int, entries: Sequence[bytes], *, whole: bool = True) -> list[bytes]:
    """Return the proof from a size to a tree (section 2.1.2), nothing from no entries."""
    if old in (0, len(entries)):
        return [] if whole else [root(entries)]
    split = _split(len(entries))
    if old <= split:
        return [*consistency(old, entries[:split], whole=whole), root(entries[split:])]
    return [*consistency(old - split, entries[split:], whole=False), root(entries[:split])]


def _split(count: int) -> int:
    return 1 << ((count - 1).bit_length() - 1)


class WitnessedLog:
    """A log with a key, whose entries are the decimals from 0; `fork` makes those from a position on others."""

    def __init__(self, origin: str = ORIGIN, fork: int | None = None) -> None:
        self.origin = origin
        self.signer = Signer.parse(keys.new_key(origin))
        self.fork = fork

    def entries(self, size: int) -> list[bytes]:
        """Return the first entries."""
        return [b"%d%s" % (n, b"" if self.fork is None or n < self.fork else b" forked") for n in range(size)]

    def note(self, size: int, signer: Signer | None = None) -> bytes:
        """Return the signed checkpoint of a size."""
        text = Checkpoint(self.origin, size, root(self.entries(size))).text()
        return self.signed(text, signer)

    def signed(self, text: str, signer: Signer | None = None) -> bytes:
        """Return a signed note of any text."""
        return f"{text}\n{(signer or self.signer).sign(text)}".encode()

    def request(self, old: int, size: int) -> bytes:
        """Return a request to cosign a size after an older one."""
        return body(old, consistency(old, self.entries(size)), self.note(size))

    def forked_at(self, position: int) -> "WitnessedLog":
        """Return the same log, with the same key, with other entries from a position on."""
        other = WitnessedLog(self.origin, position)
        other.signer = self.signer
        return other


def body(old: int | str, proof: Sequence[bytes | str], checkpoint: bytes) -> bytes:
    """Return a request of given parts, whatever they are."""
    lines = [line if isinstance(line, str) else base64.b64encode(line).decode() for line in proof]
    return "".join(f"{line}\n" for line in (f"old {old}", *lines, "")).encode() + checkpoint


def public_keys(folder: Path, *logs: WitnessedLog) -> Path:
    """Write the file of the logs that a witness knows, and return its path."""
    path = folder / "logs"
    path.write_text("".join(f"{log.signer.vkey}\n" for log in logs))
    return path
