"""Decodes records to typed events, refuses invalid ones, and skips types that are not subscribed.

Data of an earlier version of a type arrives as today's struct: see `contracts/shapes.py`.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec

from services.chassis.consumer.held.reasons import DeadReason, Refusal
from services.chassis.messages.record import Record
from services.contracts import structured
from services.contracts.envelope import Envelope, EnvelopeError, StructuredModeError, from_headers
from services.contracts.shapes import Read, readers

LONGEST_DETAIL = 1000  # characters
VALUE = re.compile(r"(?s)value (['\"]).*\1")  # an unknown member of an enum: any text, and details are logged


class Event(msgspec.Struct, frozen=True):
    """A decoded record. `data` is the type's struct, None for a tombstone.

    `content` has the data's bytes if they are not the record's value (structured mode).
    """

    record: Record
    envelope: Envelope
    data: msgspec.Struct | None
    content: bytes | None = None

    @property
    def traceparent(self) -> str | None:
        """The trace context of resulting events: the processing span if it is recorded, else the event's own."""
        return self.record.context or self.envelope.traceparent

    @property
    def digest(self) -> bytes:
        """SHA-256 of the data, in either mode; it distinguishes a repeat from a conflict."""
        return hashlib.sha256(self.encoded).digest()

    @property
    def encoded(self) -> bytes:
        """The data as it was published, in either mode; empty for a tombstone."""
        return (self.record.value if self.content is None else self.content) or b""


class Decoded(msgspec.Struct):
    """The events of a batch, and the records that gave none."""

    events: list[Event] = []
    refused: list[Refusal] = []
    not_subscribed: Counter[str] = msgspec.field(default_factory=Counter)


class UnknownShapeError(Exception):
    """A known type with an unknown schema: the record is valid, and newer code is needed."""


class _RefusedError(Exception):
    def __init__(self, reason: DeadReason, detail: str) -> None:
        super().__init__(detail[:LONGEST_DETAIL])  # it may quote a key of megabytes
        self.reason = reason


class Decoder:
    """Decodes the subscribed types. `tombstones` names the topics that may have records without a value."""

    def __init__(self, types: Mapping[str, type[msgspec.Struct]], tombstones: frozenset[str] = frozenset()) -> None:
        self._readers = {name: readers(name, struct) for name, struct in types.items()}
        self._tombstones = tombstones

    def decode(self, records: Sequence[Record]) -> Decoded:
        """Return the events of a batch in order. Raises UnknownShapeError."""
        decoded = Decoded()
        for record in records:
            try:
                event = self._event(record)
            except _RefusedError as refused:
                decoded.refused.append(Refusal(record, refused.reason, str(refused)))
            else:
                if event is None:
                    decoded.not_subscribed[record.topic] += 1
                else:
                    decoded.events.append(event)
        return decoded

    def _event(self, record: Record) -> Event | None:
        envelope, content = _open(record)
        if record.key != envelope.subject.encode():
            raise _RefusedError("key_mismatch", f"key {record.key!r}, subject {envelope.subject!r}")
        if (known := self._readers.get(envelope.type)) is None:
            return None
        if (read := known.get(envelope.schema)) is None:
            raise UnknownShapeError(f"{record.place}: {envelope.schema}, known is {next(iter(known))}")
        if record.value is None:
            self._refuse_tombstone(record.topic)
            return Event(record, envelope, None)
        return Event(record, envelope, _data(record.value if content is None else content, read), content)

    def _refuse_tombstone(self, topic: str) -> None:
        if topic not in self._tombstones:
            raise _RefusedError("unexpected_tombstone", "a record without a value on a topic without tombstones")


def _open(record: Record) -> tuple[Envelope, bytes | None]:
    """Return the envelope, and the data's bytes if they are not the record's value."""
    if record.headers is None:
        raise _RefusedError("unreadable_headers", "a header's name is not UTF-8")
    try:
        return from_headers(record.headers), None
    except StructuredModeError:
        return _open_structured(record)
    except EnvelopeError as error:
        raise _RefusedError("envelope", str(error)) from None


def _open_structured(record: Record) -> tuple[Envelope, bytes]:
    try:
        return structured.read(dict(record.headers or ()), record.value)
    except EnvelopeError as error:
        raise _RefusedError("envelope", str(error)) from None


def _data(content: bytes, read: Read) -> msgspec.Struct:
    try:
        return read(content)
    except msgspec.ValidationError as error:
        raise _RefusedError("invalid", VALUE.sub("value", str(error))) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _RefusedError("malformed", str(error)) from None
