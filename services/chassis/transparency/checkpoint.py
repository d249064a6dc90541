"""Checkpoints: the origin, size and root of a log (C2SP tlog-checkpoint), which signed notes carry."""

import re

import msgspec

from services.chassis.transparency.canonical_base64 import decoded, encoded
from services.chassis.transparency.tree import HASH_BYTES

_SIZE = re.compile(r"0|[1-9]\d{0,18}", re.ASCII)
LARGEST_SIZE = 2**63 - 1


class Checkpoint(msgspec.Struct, frozen=True):
    """A checkpoint. `extensions` are further lines; our own have none."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def text(self) -> str:
        """Return the text that is signed."""
        return "".join(f"{line}\n" for line in (self.origin, self.size, encoded(self.root), *self.extensions))

    @classmethod
    def parse(cls, text: str) -> "Checkpoint":
        """Return the checkpoint of a note's text. Raises ValueError."""
        origin, size, root, extensions = _lines(text)
        if not _SIZE.fullmatch(size) or int(size) > LARGEST_SIZE:
            raise ValueError(f"not a checkpoint: its size is {size!r}")
        digest = decoded(root)
        if len(digest) != HASH_BYTES:
            raise ValueError(f"not a checkpoint: its root has {len(digest)} bytes")
        return cls(origin, int(size), digest, extensions)


def _lines(text: str) -> tuple[str, str, str, tuple[str, ...]]:
    match text.split("\n"):
        case [origin, size, root, *extensions, ""] if origin and all(extensions):
            return origin, size, root, tuple(extensions)
    raise ValueError("not a checkpoint: it needs a line each of origin, size and root, and no empty one")
