"""Verification of a log: each entry against its chain and its leaf, then chains, tree and size against the stored ones.

Pure: entries and checkpoints come from iterators, and the first difference raises an exception.
"""

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

from services.audit.domain import Chain, Entry, flags_of, new_chain, search, unpack_headers
from services.chassis.transparency.checkpoint import Checkpoint
from services.chassis.transparency.tree import TILE_HEIGHT, TILE_WIDTH, Edge, Node, extend

Key = tuple[str, int]  # topic id, partition
Chains = Mapping[Key, Chain]
# Of columns that hold what no record gives: SQLite's have no strict types, and a changed row may be chained again.
UNREADABLE = (ValueError, TypeError, AttributeError, OverflowError, struct.error)


EMPTY = Edge()


class BadEntryError(Exception):
    """The log was changed: the message names the first bad entry and the difference."""


class CutError(Exception):
    """The log has fewer entries than a checkpoint covers."""


class ForkedError(Exception):
    """A checkpoint has another root than the entries that it covers."""


class Verification:
    """The verification of one log, from its beginning or from an `edge` of its tree and `chains` on, which are trusted.

    Offsets rise, but are not contiguous: compaction, retention and transactions of other writers leave gaps.
    """

    def __init__(self, origin: str, edge: Edge = EMPTY, chains: Mapping[Key, Chain] = {}) -> None:
        self._origin = origin
        self.edge = edge
        self._filled: list[Node] = []
        self.size = edge.size
        self.chains: dict[Key, Chain] = dict(chains)

    def check(self, entries: Iterable[Entry]) -> None:
        """Check the next entries in the order of the log. Raises BadEntryError: the verification is over then."""
        leaves: list[bytes] = []
        try:
            for entry in entries:
                if problem := self._problem(entry):
                    raise BadEntryError(f"{entry.place}, at position {entry.position}: {problem}")
                self.size += 1
                leaves.append(entry.leaf)
                if len(leaves) == TILE_WIDTH:
                    self._grow(leaves)
        finally:
            self._grow(leaves)  # also if the database fails in between: the verification goes on from there

    def compare(self, size: int, edge: bytes, chains: Chains) -> None:
        """Compare the computed size, edge and chains with the stored ones. Raises BadEntryError."""
        for key in sorted(chains.keys() | self.chains.keys()):
            _compare(chains.get(key), self.chains.get(key))
        if size != self.size:
            raise BadEntryError(f"position {self.size}: the log has this many entries, but its size is {size}")
        if edge != self.edge.packed():
            raise BadEntryError(
                f"the edge of the tree is {_text(edge)}, but the entries give {_text(self.edge.packed())}"
            )

    def filled(self) -> list[Node]:
        """Return the nodes of the tiles that the entries have filled since the last call."""
        found, self._filled = self._filled, []
        return found

    @property
    def nodes(self) -> int:
        """The number of nodes that a tree of this size has."""
        heights = range(TILE_HEIGHT, self.size.bit_length(), TILE_HEIGHT)
        return sum(self.size >> height for height in heights)

    def _grow(self, leaves: list[bytes]) -> None:
        self.edge, filled = extend(self.edge, leaves)
        self._filled += filled
        leaves.clear()

    def _problem(self, entry: Entry) -> str | None:
        try:
            return self._order_problem(entry) or _content_problem(entry, self.chains[entry.topic_id, entry.partition])
        except UNREADABLE as error:
            return f"its columns hold what no record gives: {error}"

    def _order_problem(self, entry: Entry) -> str | None:
        if entry.position != self.size:
            return f"position {self.size} is missing before it"
        key = entry.topic_id, entry.partition
        chain = self.chains.setdefault(key, new_chain(self._origin, entry.topic, *key))
        if entry.offset < chain.next_offset:
            return f"its offset is out of order, the chain has reached {chain.next_offset}"
        return None


def check_log(verification: Verification, entries: Iterator[Entry], checkpoints: Iterable[Checkpoint]) -> None:
    """Check all entries, and at the size of each checkpoint the root; sizes must not fall.

    Raises BadEntryError, CutError, ForkedError.
    """
    for checkpoint in checkpoints:
        if checkpoint.size < verification.size:
            raise BadEntryError(f"the checkpoint of {checkpoint.size:,} entries is behind one of more entries")
        verification.check(islice(entries, checkpoint.size - verification.size))
        if verification.size < checkpoint.size:
            raise CutError(f"it has {verification.size:,} entries, but its checkpoint covers {checkpoint.size:,}")
        if verification.edge.root() != checkpoint.root:
            raise ForkedError(f"its first {checkpoint.size:,} entries have another root than their checkpoint")
    verification.check(entries)


def compare_nodes(computed: Sequence[Node], stored: Sequence[Node | None]) -> None:
    """Compare nodes of the tree with the stored ones at their places. Raises BadEntryError."""
    for one, other in zip(sorted(computed), stored, strict=True):
        if one != other:
            found = "is missing" if other is None else f"is {_text(other.hash)}"
            where = f"node {one.index} on tile level {one.level}"
            raise BadEntryError(f"{where} of the tree {found}, but the entries give {_text(one.hash)}")


def _content_problem(entry: Entry, chain: Chain) -> str | None:
    # SQLite's columns have no strict types: a manual edit may replace bytes by text.
    if any(isinstance(part, str) for part in (entry.leaf, entry.chain, entry.key, entry.value, entry.headers)):
        return "text is stored instead of bytes"
    if entry.flags != (flags := flags_of(entry.key, entry.value, entry.headers)):
        return f"flags are {entry.flags}, but the null parts give {flags}"
    stored_leaf, stored = entry.leaf, entry.chain
    chain.add(entry)
    if entry.chain != stored:
        return f"chain is {stored.hex()}, but the stored bytes give {entry.chain.hex()}"
    if entry.leaf != stored_leaf:
        return f"leaf is {stored_leaf.hex()}, but the stored bytes give {entry.leaf.hex()}"
    found = search(unpack_headers(entry.headers))
    # A program of before, which may append during an upgrade, leaves the actor empty.
    actor = None if entry.actor is None else found.actor
    columns = (entry.type, entry.subject, entry.correlation_id, entry.event_time, entry.actor)
    expected = (found.type, found.subject, found.correlation_id, found.event_time, actor)
    if columns != expected:
        return f"type, subject, correlation_id, event_time, actor are {columns}, but its headers give {expected}"
    return None


def _compare(stored: Chain | None, computed: Chain | None) -> None:
    if computed is None:
        raise BadEntryError(f"{_end(stored)}: it has a stored chain, but no entry")
    if stored is None:
        raise BadEntryError(f"{_end(computed)}: it has entries, but no stored chain")
    for name in Chain.__struct_fields__:
        if getattr(stored, name) != getattr(computed, name):
            raise BadEntryError(
                f"{_end(computed)}: {name} of the stored chain is {_text(getattr(stored, name))}, "
                f"but the entries give {_text(getattr(computed, name))}"
            )


def _end(chain: Chain | None) -> str:
    return "" if chain is None else f"{chain.topic}[{chain.partition}]@{chain.next_offset - 1}"


def _text(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)
