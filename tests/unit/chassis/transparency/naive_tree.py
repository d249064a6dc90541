"""A tree as RFC 6962 defines it, recursively, and its hashes by tile level: what the tests compare ours with."""

from collections.abc import Sequence
from hashlib import sha256


def root(entries: Sequence[bytes]) -> bytes:
    if not entries:
        return sha256(b"").digest()
    if len(entries) == 1:
        return sha256(b"\x00" + entries[0]).digest()
    split = largest_power_below(len(entries))
    return sha256(b"\x01" + root(entries[:split]) + root(entries[split:])).digest()


def path(index: int, entries: Sequence[bytes]) -> list[bytes]:
    if len(entries) == 1:
        return []
    split = largest_power_below(len(entries))
    if index < split:
        return [*path(index, entries[:split]), root(entries[split:])]
    return [*path(index - split, entries[split:]), root(entries[:split])]


def consistency(old: int, entries: Sequence[bytes], *, whole: bool = True) -> list[bytes]:
    if old == len(entries):
        return [] if whole else [root(entries)]
    split = largest_power_below(len(entries))
    if old <= split:
        return [*consistency(old, entries[:split], whole=whole), root(entries[split:])]
    return [*consistency(old - split, entries[split:], whole=False), root(entries[:split])]


def largest_power_below(size: int) -> int:
    power = 1
    while power * 2 < size:
        power *= 2
    return power


class Reader:
    """Reads hashes by tile level from the entries themselves."""

    def __init__(self, entries: Sequence[bytes]) -> None:
        self._entries = entries

    def __call__(self, level: int, first: int, count: int) -> list[bytes]:
        width = 256**level
        starts = range(first * width, (first + count) * width, width)
        assert (first + count) * width <= len(self._entries), "it reads only roots of full tiles"
        return [root(self._entries[start : start + width]) for start in starts]
