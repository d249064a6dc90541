"""Entries, hash chains and leaves of the audit log, byte by byte, and the columns to search by.

Pure. It decodes no value, so that no record can stop it. Integers are big-endian, text is
UTF-8, hashes are SHA-256.
"""

import functools
import hashlib
import struct
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from services.chassis.messages.clock import to_micros
from services.chassis.messages.record import Headers
from services.chassis.transparency.tree import leaf_hash

KEY_NULL, VALUE_NULL, HEADERS_UNREADABLE = 1, 2, 4
NO_DIGEST = bytes(32)  # in place of the digest of a null or unreadable part
NULL_LENGTH = b"\xff\xff\xff\xff"
LONGEST_TEXT = 256  # bytes in a search column: PostgreSQL cannot index long ones

_U32 = struct.Struct(">I")
_PLACE = struct.Struct(">IQBqB")  # partition, offset, timestamp type, timestamp, flags


class LargeValue(msgspec.Struct, frozen=True):
    """A value that is too large to be held in memory: its first bytes, its size and its SHA-256."""

    start: bytes
    size: int
    sha256: bytes


class Entry(msgspec.Struct, gc=False):
    """An entry and the record it covers: a row of the log, in the order of its columns.

    `leaf` is the entry's hash in the Merkle tree, `chain` the head of the partition's chain after it; both cover what
    is before them, and key, value and headers. `headers` are in their canonical form. Times are microseconds since
    1970, `ts_ms` milliseconds.
    """

    position: int
    topic: str
    topic_id: str
    partition: int
    offset: int
    ts_type: int
    ts_ms: int
    flags: int
    leaf: bytes
    chain: bytes
    key: bytes | None
    value: bytes | LargeValue | None
    headers: bytes | None
    recorded_at: int
    type: str | None
    subject: str | None
    correlation_id: str | None
    event_time: int | None
    actor: str | None = None

    @property
    def place(self) -> str:
        """The record's place for messages: `topic[partition]@offset`."""
        return f"{self.topic}[{self.partition}]@{self.offset}"


class Chain(msgspec.Struct):
    """The hash chain of a partition: its offsets, its number of entries, and its head."""

    topic_id: str
    partition: int
    topic: str
    first_offset: int
    next_offset: int
    length: int
    head: bytes

    @property
    def gaps(self) -> int:
        """The number of offsets between its entries that have none."""
        return self.next_offset - self.first_offset - self.length

    def has(self, offset: int) -> bool:
        """Return True if the record at an offset has its entry, or if there was none when it was read."""
        return self.first_offset <= offset < self.next_offset

    def add(self, entry: Entry) -> None:
        """Link an entry, and set its `leaf` and `chain`. Raises ValueError for an offset below the next one."""
        if entry.offset < self.next_offset:
            raise ValueError(f"the chain has reached offset {self.next_offset} already")
        if not self.length:
            self.first_offset = entry.offset
        encoded = encode(entry, self.head)
        entry.leaf = leaf_hash(encoded)
        self.head = entry.chain = _linked(encoded)
        self.next_offset = entry.offset + 1
        self.length += 1


class Search(NamedTuple):
    """The search columns of an event, from its headers; None for each that cannot be read."""

    type: str | None
    subject: str | None
    correlation_id: str | None
    time: datetime | None
    actor: str | None = None

    @property
    def event_time(self) -> int | None:
        """The time in microseconds since 1970."""
        return None if self.time is None else to_micros(self.time)


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """A search for entries that match every filter and follow the one at position `after`.

    `since` (included) and `until` (not included) bound the event's time in microseconds since 1970. With either,
    entries are ordered by that time, else by position.
    """

    topic: str | None = None
    subject: str | None = None
    correlation_id: str | None = None
    actor: str | None = None
    since: int | None = None
    until: int | None = None
    after: int = -1
    limit: int = 100

    @property
    def by_time(self) -> bool:
        """True if entries are ordered by their events' times."""
        return self.since is not None or self.until is not None


class Found(NamedTuple):
    """An entry and the head of its chain before it."""

    entry: Entry
    chain_before: bytes


class Page(msgspec.Struct, frozen=True):
    """Entries in order; `more` if others follow."""

    found: list[Found]
    more: bool


def new_chain(origin: str, topic: str, topic_id: str, partition: int) -> Chain:
    """Return the chain of a partition before its first entry."""
    seed = f"audit-chain/v1\n{origin}\n{topic}\n{topic_id}\n{partition}\n"
    return Chain(topic_id, partition, topic, 0, 0, 0, hashlib.sha256(seed.encode()).digest())


def flags_of(key: bytes | None, value: bytes | LargeValue | None, headers: object | None) -> int:
    """Return an entry's flags: the parts of its record that are null or unreadable."""
    return KEY_NULL * (key is None) | VALUE_NULL * (value is None) | HEADERS_UNREADABLE * (headers is None)


def encode(entry: Entry, chain_before: bytes) -> bytes:
    """Return the entry's bytes, which are hashed for chain and tree."""
    topic = entry.topic.encode()
    return b"".join(
        (
            b"\x01",
            len(topic).to_bytes(1, "big"),
            topic,
            _PLACE.pack(entry.partition, entry.offset, entry.ts_type, entry.ts_ms, entry.flags),
            _digest(entry.key),
            _digest(entry.value),
            _digest(entry.headers),
            chain_before,
        )
    )


def link(entry: Entry, chain_before: bytes) -> bytes:
    """Return the head of a chain after an entry."""
    return _linked(encode(entry, chain_before))


def leaf(entry: Entry, chain_before: bytes) -> bytes:
    """Return the hash of an entry in the Merkle tree (RFC 6962, section 2.1)."""
    return leaf_hash(encode(entry, chain_before))


def pack_headers(headers: Headers | None) -> bytes | None:
    """Return headers in their canonical form, in their order; None for unreadable ones."""
    if headers is None:
        return None
    length = _U32.pack
    parts = [length(len(headers))]
    for name, value in headers:
        parts += (_packed_name(name), NULL_LENGTH) if value is None else (_packed_name(name), length(len(value)), value)
    return b"".join(parts)


def unpack_headers(packed: bytes | None) -> Headers | None:
    """Return headers from their canonical form. Raises ValueError for other bytes."""
    if packed is None:
        return None
    try:
        fields = list(_fields(packed))
        names = [(name or b"").decode() for name in fields[::2]]
    except struct.error as error:
        raise ValueError(f"not canonical headers: {error}") from None
    return list(zip(names, fields[1::2], strict=True))


def search(headers: Headers | None) -> Search:
    """Return the search columns from headers. A value that is missing or does not fit gives None."""
    found = dict(headers or ())
    return Search(
        _text(found.get("ce_type")),
        _text(found.get("ce_subject")),
        _text(found.get("ce_correlationid")),
        _time(_text(found.get("ce_time"))),
        _text(found.get("ce_actor")),
    )


def _linked(encoded: bytes) -> bytes:
    return hashlib.sha256(b"\x02" + encoded).digest()


def _digest(content: bytes | LargeValue | None) -> bytes:
    if isinstance(content, LargeValue):
        return content.sha256
    return NO_DIGEST if content is None else hashlib.sha256(content).digest()


@functools.lru_cache(maxsize=256)  # every record has the same dozen names
def _packed_name(name: str) -> bytes:
    encoded = name.encode()
    return _U32.pack(len(encoded)) + encoded


def _fields(packed: bytes) -> Iterator[bytes | None]:
    (count,) = _U32.unpack_from(packed)
    at = _U32.size
    for _ in range(2 * count):
        length = packed[at : at + _U32.size]
        at += _U32.size
        if length == NULL_LENGTH:
            yield None
            continue
        end = at + _U32.unpack(length)[0]
        yield packed[at:end]
        at = end


def _text(value: bytes | None) -> str | None:
    # PostgreSQL's text cannot hold NUL.
    if not value or len(value) > LONGEST_TEXT or b"\0" in value:
        return None
    try:
        return value.decode()
    except UnicodeDecodeError:
        return None


def _time(text: str | None) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text or "")
        return None if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):  # not a time, or outside the range of datetime in UTC
        return None
