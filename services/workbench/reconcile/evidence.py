"""Evidence from a system that rests: the records of its topics, the users' rows, mails and audit entries."""

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from services.chassis.messages.record import Record, TopicPartition
from services.contracts.catalog import USER_EVENTS
from services.contracts.envelope import Envelope, EnvelopeError, from_headers
from services.workbench.reconcile.history import Operation


class Place(NamedTuple):
    """Where a record is."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}[{self.partition}]@{self.offset}"


class Seen(NamedTuple):
    """A record at its place: its key, whether it has a value, the digest of value and headers, and its envelope.

    The envelope is None if it has none. Values are not kept: the log may be larger than memory. `origin` is the place
    of the record of which this one is the dead letter.
    """

    place: Place
    key: bytes | None
    has_value: bool
    digest: bytes
    envelope: Envelope | None
    origin: Place | None = None


class Event(NamedTuple):
    """A record that is an event."""

    place: Place
    digest: bytes
    envelope: Envelope


class Mail(msgspec.Struct, frozen=True):
    """A mail that arrived: its Message-ID, which a repeat keeps, and the command that led to it."""

    message_id: str
    correlation_id: str
    recipients: Sequence[str]


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is compared. A part that could not be read is None, and is reported as not checked."""

    seen: Mapping[str, Sequence[Seen]]  # by topic, in the order of each partition
    history: Sequence[Operation] | None = None
    users: Mapping[str, int] | None = None  # the version of each row
    replicas: Mapping[str, int] | None = None  # the version of each row of notification
    dead: Collection[Place] | None = None  # records that notification holds as dead
    takeovers: int | None = None  # how often a relay of users has taken the lease: each begins again behind its cursor
    mails: Sequence[Mail] | None = None
    entries: Mapping[Place, bytes] | None = None  # digests of what audit has recorded
    ends: Mapping[TopicPartition, int] | None = None  # of the log, after the entries were read: a system may go on

    def events(self, topic: str) -> list[Event]:
        """Return the events of a topic: a tombstone is none."""
        return [
            Event(one.place, one.digest, one.envelope)
            for one in self.seen.get(topic, ())
            if one.envelope and one.has_value
        ]

    def newest_versions(self) -> dict[str, int]:
        """Return the newest version of each user on the log of facts."""
        return newest_versions(event.envelope for event in self.events(USER_EVENTS.name))


def newest_versions(envelopes: Iterable[Envelope]) -> dict[str, int]:
    """Return the newest version of each subject."""
    found: dict[str, int] = {}
    for envelope in envelopes:
        found[envelope.subject] = max(found.get(envelope.subject, 0), envelope.version)
    return found


def seen(records: Iterable[Record]) -> dict[str, list[Seen]]:
    """Return records by topic."""
    found: dict[str, list[Seen]] = {}
    for record in records:
        place = Place(record.topic, record.partition, record.offset)
        digest = digest_of(value_digest(record.value), record.headers or [])
        one = Seen(place, record.key, record.value is not None, digest, _envelope(record), _origin(record))
        found.setdefault(record.topic, []).append(one)
    return found


def value_digest(value: bytes | None) -> bytes | None:
    """Return the SHA-256 of a value, None of a tombstone."""
    return None if value is None else hashlib.sha256(value).digest()


def digest_of(value: bytes | None, headers: Sequence[tuple[str, bytes | None]]) -> bytes:
    """Return one digest of a value's digest and headers."""
    return hashlib.sha256(msgspec.msgpack.encode((value, headers))).digest()


def _envelope(record: Record) -> Envelope | None:
    try:
        return from_headers(record.headers or [])
    except EnvelopeError:
        return None


def _origin(record: Record) -> Place | None:
    topic, *place = (record.header(f"dlq_{name}") for name in ("topic", "partition", "offset"))
    if topic is None or not all(number and number.isdecimal() for number in place):
        return None
    partition, offset = (int(number or 0) for number in place)
    return Place(topic, partition, offset)
