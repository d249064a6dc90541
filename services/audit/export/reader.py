"""Reader of an export: its records with their leaves, its checkpoints, and the nodes of its tree.

What differs between files of an export raises BadEntryError, which names the file and the place.
"""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from services.audit.domain import Entry, LargeValue
from services.audit.export.layout import Layout, SavedNote, decoded
from services.audit.store import LARGEST_VALUE, PIECE
from services.audit.verification import BadEntryError
from services.chassis.transparency.tiles import TilePath, resources, unbundle
from services.chassis.transparency.tree import HASH_BYTES, Node, leaf_hash

T = TypeVar("T")
LONGEST_LINE = 8 * LARGEST_VALUE  # key, value and headers in base64: a file without lines is not read into memory


class Export:
    """An export that a checkpoint of `size` entries covers."""

    def __init__(self, layout: Layout, size: int) -> None:
        self._layout = layout
        self._size = size

    def entries(self) -> Iterator[Entry]:
        """Yield the entries in their order, each after its leaf was compared with its bundle and its tile.

        Files that are missing are left out: verification finds the gap, or the end.
        """
        last = None
        for path in resources(self._size):
            if path.level is not None:
                return
            if self._layout.records(path).exists():
                yield from self._of_bundle(path)
            else:
                last = self._layout.last_records() if last is None else last
                if path.index >= last:
                    return

    def checkpoints(self) -> Iterator[tuple[int, bytes]]:
        """Yield the size and the note of each stored checkpoint."""
        if self._layout.checkpoints.exists():
            for where, line in _lines(self._layout.checkpoints):
                found = _decoded(where, line, SavedNote)
                yield found.size, found.note.encode()

    def nodes(self) -> Sequence[Node | None]:
        """Return the nodes above the leaves, in the order of levels and places; None for those of a missing tile."""
        found: list[Node | None] = []
        for path in resources(self._size):
            if path.level:
                hashes = self._tile(path) if self._layout.resource(path).exists() else None
                places = range(path.first, path.first + path.width)
                found += [Node(path.level, place, hashes[place - path.first]) if hashes else None for place in places]
        return found

    def _of_bundle(self, path: TilePath) -> Iterator[Entry]:
        leaves, hashes = self._leaves(path), self._tile(TilePath(0, path.index, path.width))
        for at, (where, line) in enumerate(_lines(self._layout.records(path))):
            if at == path.width:
                raise BadEntryError(f"{where}: it has more lines than the {path.width} of its entries")
            entry = self._with_value(_decoded(where, line, Entry))
            if entry.position == path.first + at:
                _compare(entry, path.text(), leaves[at])
                _compare(entry, TilePath(0, path.index, path.width).text(), hashes[at])
            yield entry

    def _with_value(self, entry: Entry) -> Entry:
        value = entry.value
        if not isinstance(value, LargeValue):
            return entry
        found, digest = self._layout.value(entry.position), hashlib.sha256()
        if value.start or value.size <= LARGEST_VALUE or not found.exists() or found.stat().st_size != value.size:
            raise BadEntryError(f"{entry.place}, at position {entry.position}: its value is not what {found} has")
        with found.open("rb") as file:
            while piece := file.read(PIECE):
                digest.update(piece)
        if digest.digest() != value.sha256:
            raise BadEntryError(f"{entry.place}, at position {entry.position}: its value is not what {found} has")
        return entry

    def _leaves(self, path: TilePath) -> list[bytes]:
        try:
            found = unbundle(self._content(path))
        except ValueError as error:
            raise BadEntryError(f"{path.text()}: {error}") from None
        if len(found) != path.width:
            raise BadEntryError(f"{path.text()} has {len(found)} entries instead of {path.width}")
        return list(map(leaf_hash, found))

    def _tile(self, path: TilePath) -> list[bytes]:
        content = self._content(path)
        if len(content) != path.width * HASH_BYTES:
            raise BadEntryError(f"{path.text()} has {len(content)} bytes instead of {path.width * HASH_BYTES}")
        return [content[at : at + HASH_BYTES] for at in range(0, len(content), HASH_BYTES)]

    def _content(self, path: TilePath) -> bytes:
        try:
            return self._layout.resource(path).read_bytes()
        except FileNotFoundError:
            raise BadEntryError(f"{path.text()} is missing") from None


def _lines(path: Path) -> Iterator[tuple[str, bytes]]:
    with path.open("rb") as file:
        number = 0
        while line := file.readline(LONGEST_LINE):
            number += 1
            yield f"{path}, line {number}", line


def _decoded(where: str, line: bytes, kind: type[T]) -> T:
    try:
        return decoded(line, kind)
    except ValueError as error:
        raise BadEntryError(f"{where}: {error}") from None


def _compare(entry: Entry, name: str, leaf: bytes) -> None:
    if entry.leaf != leaf:
        problem = f"its record has the leaf {entry.leaf.hex()}, but {name} gives {leaf.hex()}"
        raise BadEntryError(f"{entry.place}, at position {entry.position}: {problem}")
