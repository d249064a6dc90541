"""Tiles and entry bundles of a log, and their paths (C2SP tlog-tiles).

A tile holds up to 256 hashes of one level, a bundle up to 256 entries; the last of each level may be partial.
"""

import re
import struct
from collections.abc import Iterable, Iterator

import msgspec

from services.chassis.transparency.tree import TILE_HEIGHT, TILE_WIDTH

LONGEST_ENTRY = 0xFFFF  # bytes: a bundle counts them in two
HIGHEST_LEVEL = 63
_PATH = re.compile(r"tile/(entries|0|[1-9]|[1-5]\d|6[0-3])/((?:x\d{3}/)*\d{3})(?:\.p/([1-9]\d{0,2}))?", re.ASCII)
_LENGTH = struct.Struct(">H")


class TilePath(msgspec.Struct, frozen=True):
    """The path of a tile, or of a bundle of entries if `level` is None. A `width` of 256 is a full one."""

    level: int | None
    index: int
    width: int = TILE_WIDTH

    def text(self) -> str:
        """Return the path below the log's address, such as `tile/0/x001/x234/067.p/8`."""
        level = "entries" if self.level is None else str(self.level)
        partial = "" if self.width == TILE_WIDTH else f".p/{self.width}"
        return f"tile/{level}/{_number(self.index)}{partial}"

    @classmethod
    def parse(cls, text: str) -> "TilePath":
        """Return the path from its only text. Raises ValueError for anything else."""
        found = _PATH.fullmatch(text)
        if not found:
            raise ValueError(f"not a tile's path: {text!r}")
        level, number, width = found.groups()
        index = int(number.replace("x", "").replace("/", ""))
        path = cls(None if level == "entries" else int(level), index, int(width or TILE_WIDTH))
        if path.width > TILE_WIDTH or path.text() != text:
            raise ValueError(f"not the canonical path of a tile: {text!r}")
        return path

    @property
    def first(self) -> int:
        """The index of its first hash in its level, or of its first entry in the log."""
        return self.index * TILE_WIDTH

    def is_within(self, size: int) -> bool:
        """Return True if a log of that many entries has all of it."""
        return self.first + self.width <= size >> TILE_HEIGHT * (self.level or 0)


def widths(size: int, level: int) -> tuple[int, int]:
    """Return the number of full tiles of a level, and the width of the partial one after them, 0 without one."""
    return divmod(size >> TILE_HEIGHT * level, TILE_WIDTH)


def resources(size: int) -> Iterator[TilePath]:
    """Yield the paths of all tiles and bundles of a log: of each level in order, the entries' first."""
    yield from _of_level(size, None)
    for level in range(HIGHEST_LEVEL + 1):
        if not size >> TILE_HEIGHT * level:
            return
        yield from _of_level(size, level)


def bundle(entries: Iterable[bytes]) -> bytes:
    """Return entries in one piece, each after its length. Raises ValueError for an entry above 65,535 bytes."""
    return b"".join(_with_length(entry) for entry in entries)


def unbundle(data: bytes) -> list[bytes]:
    """Return the entries of a bundle. Raises ValueError if it is cut."""
    entries, at = list[bytes](), 0
    while at < len(data):
        if at + _LENGTH.size > len(data):
            raise ValueError("the bundle ends inside the length of an entry")
        (length,) = _LENGTH.unpack_from(data, at)
        at += _LENGTH.size
        if at + length > len(data):
            raise ValueError(f"the bundle ends inside entry {len(entries)}")
        entries.append(data[at : at + length])
        at += length
    return entries


def _of_level(size: int, level: int | None) -> Iterator[TilePath]:
    full, partial = widths(size, level or 0)
    for index in range(full):
        yield TilePath(level, index)
    if partial:
        yield TilePath(level, full, partial)


def _number(index: int) -> str:
    digits = f"{index % 1000:03}"
    while index := index // 1000:
        digits = f"x{index % 1000:03}/{digits}"
    return digits


def _with_length(entry: bytes) -> bytes:
    if len(entry) > LONGEST_ENTRY:
        raise ValueError(f"an entry of {len(entry)} bytes does not fit into a bundle")
    return _LENGTH.pack(len(entry)) + entry
