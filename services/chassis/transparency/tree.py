"""The Merkle tree of RFC 6962, section 2.1: hashes, growth, and proofs of inclusion and consistency.

Hashes are SHA-256, 32 bytes. A tree is known by its edge, the roots of its full subtrees, so that it grows without
its entries. Proofs read hashes by tile level: level 0 has the leaves, level n the roots of full tiles of level n - 1.
"""

from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import NamedTuple

import msgspec

HASH_BYTES = 32
TILE_HEIGHT = 8  # levels of the tree in a tile
TILE_WIDTH = 1 << TILE_HEIGHT
EMPTY_ROOT = sha256().digest()

HashReader = Callable[[int, int, int], Sequence[bytes]]  # (tile level, first index, count) -> hashes of that level


class Node(NamedTuple):
    """The root of the full tile `index` of tile level `level` - 1: hash `index` of tile level `level`, from 1."""

    level: int
    index: int  # type: ignore[assignment]  # nobody searches in a node, which is what tuple.index is for
    hash: bytes


class Edge(msgspec.Struct, frozen=True):
    """The right edge of a tree: the roots of its full subtrees, the biggest first, one for each bit set in `size`."""

    size: int = 0
    hashes: tuple[bytes, ...] = ()

    def packed(self) -> bytes:
        """Return the hashes in one piece."""
        return b"".join(self.hashes)

    @classmethod
    def unpacked(cls, size: int, packed: bytes) -> "Edge":
        """Return the edge from its hashes in one piece. Raises ValueError for another number of bytes."""
        if size < 0 or len(packed) != HASH_BYTES * size.bit_count():
            raise ValueError(f"an edge of size {size} cannot have {len(packed)} bytes")
        starts = range(0, len(packed), HASH_BYTES)
        return cls(size, tuple(packed[start : start + HASH_BYTES] for start in starts))

    def root(self) -> bytes:
        """Return the root of the tree."""
        return _folded(self.hashes)


def leaf_hash(entry: bytes) -> bytes:
    """Return the hash of an entry."""
    return sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of two subtrees."""
    return sha256(b"\x01" + left + right).digest()


def extend(edge: Edge, leaves: Sequence[bytes]) -> tuple[Edge, list[Node]]:
    """Return the edge after further leaves, and the roots of the tiles that they filled."""
    row, start, height = list(leaves), edge.size, 0
    before, after = list(edge.hashes), list[bytes]()
    nodes: list[Node] = []
    while row:
        if height and height % TILE_HEIGHT == 0:
            nodes += [Node(height // TILE_HEIGHT, start + at, hashed) for at, hashed in enumerate(row)]
        if start % 2:
            row.insert(0, before.pop())
        if len(row) % 2:
            after.append(row.pop())
        row, start, height = _parents(row), start // 2, height + 1
    return Edge(edge.size + len(leaves), (*before, *reversed(after))), nodes


def inclusion_proof(index: int, size: int, read: HashReader) -> list[bytes]:
    """Return the proof that a leaf is in the tree of a size, the leaf's sibling first. Raises ValueError."""
    if not 0 <= index < size:
        raise ValueError(f"a tree of {size} has no entry {index}")
    proof, low, high = [], 0, size
    while high - low > 1:
        split = low + _left_size(high - low)
        if index < split:
            proof.append(_subtree(split, high, read))
            high = split
        else:
            proof.append(_subtree(low, split, read))
            low = split
    return proof[::-1]


def consistency_proof(old: int, new: int, read: HashReader) -> list[bytes]:
    """Return the proof that a tree grew from one size to another by appending alone. Raises ValueError."""
    if not 0 <= old <= new:
        raise ValueError(f"a tree of {new} did not grow from one of {old}")
    if old == 0:
        return []
    proof, low, high = [], 0, new
    while old != high:
        split = low + _left_size(high - low)
        if old <= split:
            proof.append(_subtree(split, high, read))
            high = split
        else:
            proof.append(_subtree(low, split, read))
            low = split
    if low:
        proof.append(_subtree(low, high, read))
    return proof[::-1]


def root_of_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes]) -> bytes:
    """Return the root that an inclusion proof leads to (RFC 9162, 2.1.3.2). Raises ValueError for a wrong length."""
    if not 0 <= index < size:
        raise ValueError(f"a tree of {size} has no entry {index}")
    at, last, root = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise ValueError(f"an inclusion proof of {len(proof)} hashes is too long for entry {index} of {size}")
        if at % 2 or at == last:
            root = node_hash(sibling, root)
            while at % 2 == 0 and at:
                at, last = at // 2, last // 2
        else:
            root = node_hash(root, sibling)
        at, last = at // 2, last // 2
    if last:
        raise ValueError(f"an inclusion proof of {len(proof)} hashes is too short for entry {index} of {size}")
    return root


def check_consistency(old: int, new: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes) -> None:
    """Check a proof that the tree of one root grew to that of another (RFC 9162, 2.1.4.2). Raises ValueError."""
    if not 0 <= old <= new:
        raise ValueError(f"a tree of {new} did not grow from one of {old}")
    if old in {0, new}:
        _check_trivial(old, new, proof, (old_root, new_root))
        return
    given = [old_root, *proof] if old & (old - 1) == 0 else list(proof)
    if not proof or _replayed(old, new, given) != (old_root, new_root):
        raise ValueError(f"the consistency proof from {old} to {new} does not lead to the two roots")


def _check_trivial(old: int, new: int, proof: Sequence[bytes], roots: tuple[bytes, bytes]) -> None:
    if proof:
        raise ValueError(f"the consistency proof from {old} to {new} must be empty")
    for size, root in zip((old, new), roots, strict=True):
        if size == 0 and root != EMPTY_ROOT:
            raise ValueError("an empty tree has another root")
    if old == new and roots[0] != roots[1]:
        raise ValueError(f"two trees of size {old} have different roots")


def _replayed(old: int, new: int, given: Sequence[bytes]) -> tuple[bytes, bytes]:
    at, last = old - 1, new - 1
    while at % 2:
        at, last = at // 2, last // 2
    old_root = new_root = given[0]
    for sibling in given[1:]:
        if last == 0:
            raise ValueError(f"the consistency proof from {old} to {new} is too long")
        if at % 2 or at == last:
            old_root, new_root = node_hash(sibling, old_root), node_hash(sibling, new_root)
            while at % 2 == 0 and at:
                at, last = at // 2, last // 2
        else:
            new_root = node_hash(new_root, sibling)
        at, last = at // 2, last // 2
    if last:
        raise ValueError(f"the consistency proof from {old} to {new} is too short")
    return old_root, new_root


def _left_size(size: int) -> int:
    """Return the largest power of two below a size."""
    return 1 << (size - 1).bit_length() - 1


def _subtree(low: int, high: int, read: HashReader) -> bytes:
    roots = []
    while low < high:
        height = (high - low).bit_length() - 1
        roots.append(_full_subtree(low >> height, height, read))
        low += 1 << height
    return _folded(roots)


def _full_subtree(index: int, height: int, read: HashReader) -> bytes:
    level, below = divmod(height, TILE_HEIGHT)
    row: Sequence[bytes] = read(level, index << below, 1 << below)
    if len(row) != 1 << below:
        raise ValueError(
            f"the tree has {len(row)} of {1 << below} hashes of tile level {level} from {index << below} on"
        )
    while len(row) > 1:
        row = _parents(row)
    return row[0]


def _parents(row: Sequence[bytes]) -> list[bytes]:
    one_after_another = iter(row)
    return [sha256(b"\x01" + left + right).digest() for left, right in zip(one_after_another, one_after_another)]  # noqa: B905  # strict would cost, and the row is even


def _folded(roots: Sequence[bytes]) -> bytes:
    if not roots:
        return EMPTY_ROOT
    *left, root = roots
    for sibling in reversed(left):
        root = node_hash(sibling, root)
    return root
