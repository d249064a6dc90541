"""A log in a folder as C2SP tlog-tiles has it, built by our code: tiles, bundles, a cosigned checkpoint, a policy."""

from collections.abc import Sequence
from pathlib import Path

from services.chassis.transparency import keys
from services.chassis.transparency.checkpoint import Checkpoint
from services.chassis.transparency.keys import Signer
from services.chassis.transparency.note import Note
from services.chassis.transparency.proof import Proof
from services.chassis.transparency.tiles import TilePath, bundle, resources
from services.chassis.transparency.tree import Edge, consistency_proof, extend, inclusion_proof, leaf_hash

ORIGIN = "eventline.local/audit"
SECONDS = 1_700_000_000


class BuiltLog:
    """A log of the given entries, with keys of its own."""

    def __init__(self, folder: Path, entries: Sequence[bytes]) -> None:
        self.folder, self.entries = folder, entries
        self.signer = Signer(ORIGIN, b"\x01" * 32)
        self.witness = Signer("witness.example/w1", b"\x02" * 32)
        self._edge, nodes = extend(Edge(), list(map(leaf_hash, entries)))
        self._levels = [list(map(leaf_hash, entries))]
        for level in range(1, max((node.level for node in nodes), default=0) + 1):
            self._levels.append([node.hash for node in nodes if node.level == level])

    @property
    def policy(self) -> str:
        """The policy that its checkpoint fulfils."""
        return f"log {self.signer.vkey}\nwitness w1 {self.witness.cosignature_vkey}\nquorum w1\n"

    def read(self, level: int, first: int, count: int) -> Sequence[bytes]:
        """Return hashes of a tile level."""
        return self._levels[level][first : first + count]

    def root(self, size: int) -> bytes:
        """Return the root of its first entries."""
        return extend(Edge(), self._levels[0][:size])[0].root()

    def note(self, *, cosigned: bool = True) -> bytes:
        """Return the signed checkpoint of all entries."""
        text = Checkpoint(ORIGIN, len(self.entries), self._edge.root()).text()
        lines = [self.witness.cosign(text, SECONDS)] if cosigned else []
        return bytes(Note.parse(keys.signed(text, [self.signer])).with_lines(lines))

    def proof(self, index: int) -> Proof:
        """Return the proof of an entry."""
        return Proof(index, tuple(inclusion_proof(index, len(self.entries), self.read)), self.note())

    def consistency(self, old: int, new: int) -> list[bytes]:
        """Return the proof that it grew from one size to another."""
        return consistency_proof(old, new, self.read)

    def write(self) -> None:
        """Write all of its files."""
        self.write_file("checkpoint", self.note())
        for path in resources(len(self.entries)):
            self.write_file(path.text(), self._content(path))

    def write_file(self, name: str, content: bytes) -> None:
        """Write one file of the log."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    def _content(self, path: TilePath) -> bytes:
        if path.level is None:
            return bundle(self.entries[path.first : path.first + path.width])
        return b"".join(self.read(path.level, path.first, path.width))
