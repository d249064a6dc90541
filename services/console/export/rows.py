"""Rows of an export: a record as columns, decoded and in today's shape; one that cannot be decoded, with its bytes."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, cast

import msgspec

from services.chassis.consumer.decoding import Decoded, Decoder, Event, UnknownShapeError
from services.chassis.messages.record import Record
from services.contracts.catalog import TYPES, Topic
from services.contracts.envelope import (
    NUMBERS,
    OPTIONAL,
    TEXTS,
    Envelope,
    EnvelopeError,
    from_headers,
    schema_of,
    to_text,
)
from services.contracts.personal import HIDDEN, masked
from services.contracts.shapes import versions_of

# Attributes have columns of their own, and the content type is the same for all.
IN_COLUMNS = {"ce_specversion", "ce_time", *TEXTS, *NUMBERS, *OPTIONAL, "content-type"}


class Raw(msgspec.Struct, frozen=True):
    """A record as it came over the wire. Bytes become base64 in JSON."""

    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]] | None


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One record. The names of its fields are those of the columns, and of CloudEvents' attributes.

    Times are RFC 3339 in UTC. `data` is in the shape of `dataschema`. `reason` is why a record could not be decoded;
    then, and where the columns do not have all of it, `raw` has the record.
    """

    topic: str
    partition: int
    offset: int
    timestamp: str | None
    key: str | None
    id: str | None = None
    source: str | None = None
    type: str | None = None
    subject: str | None = None
    time: str | None = None
    dataschema: str | None = None
    sequence: int | None = None
    subjectversion: int | None = None
    correlationid: str | None = None
    causationid: str | None = None
    traceparent: str | None = None
    actor: str | None = None
    data: Any = None
    tombstone: bool
    headers: Any
    reason: str | None
    raw: Any


class Rows:
    """Makes the rows of a topic, and counts them: `written`, and of these `undecoded`. Personal data is masked."""

    def __init__(self, topic: Topic, *, personal: bool) -> None:
        # Dead letters have the types that they came with.
        self._decoder = Decoder({name: TYPES[name] for name in topic.types or TYPES}, _with_tombstones(topic))
        self._personal = personal
        self.written = 0
        self.undecoded: Counter[str] = Counter()

    def of(self, records: Sequence[Record]) -> list[Row]:
        """Return a row for each record, in order."""
        try:
            events = self._decoder.decode(records).events
        except UnknownShapeError:
            events = []
        rows = [_decoded(event) for event in events]
        if len(rows) < len(records):  # one by one, in order
            rows = [self._row(record) for record in records]
        self.written += len(rows)
        return rows if self._personal else [_masked(row) for row in rows]

    def _row(self, record: Record) -> Row:
        try:
            decoded = self._decoder.decode([record])
        except UnknownShapeError as error:
            return self._undecoded(record, "newer_version", str(error))
        if decoded.events:
            return _decoded(decoded.events[0])
        return self._undecoded(record, *_problem(decoded))

    def _undecoded(self, record: Record, reason: str, detail: str) -> Row:
        self.undecoded[reason] += 1
        try:
            attributes = _attributes(from_headers(record.headers or []))
        except EnvelopeError:
            attributes = {}
        return Row(**_base(record, f"{reason}: {detail}") | attributes)


def _with_tombstones(topic: Topic) -> frozenset[str]:
    return frozenset({topic.name} if topic.cleanup == "compact" or not topic.types else ())


def _problem(decoded: Decoded) -> tuple[str, str]:
    for refusal in decoded.refused:
        return refusal.reason, refusal.detail
    return "unexpected_type", "a type that does not belong to this topic"


def _decoded(event: Event) -> Row:
    attributes = _attributes(event.envelope)
    if event.data is not None:
        newest = schema_of(event.envelope.type, len(versions_of(type(event.data))))
        attributes |= {"dataschema": newest, "data": msgspec.to_builtins(event.data)}
    return Row(**_base(event.record) | attributes)


def _base(record: Record, reason: str | None = None) -> dict[str, Any]:
    key, timestamp, headers = _text(record.key), record.time, _headers(record)
    complete = (key is None) == (record.key is None) and timestamp is not None and headers is not None
    return {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "timestamp": timestamp,
        "key": key,
        "tombstone": record.value is None,
        "headers": headers,
        "reason": reason,
        "raw": None if complete and reason is None else _raw(record),
    }


def _attributes(envelope: Envelope) -> dict[str, Any]:
    return {
        "id": envelope.id,
        "source": envelope.source,
        "type": envelope.type,
        "subject": envelope.subject,
        "time": to_text(envelope.time),
        "dataschema": envelope.schema,
        "sequence": envelope.sequence,
        "subjectversion": envelope.version,
        "correlationid": envelope.correlation_id,
        "causationid": envelope.causation_id,
        "traceparent": envelope.traceparent,
        "actor": envelope.actor,
    }


def _headers(record: Record) -> dict[str, str] | None:
    """Return the headers that no column has; None if they cannot be a JSON object of texts."""
    if record.headers is None:
        return None
    others = [(name, value) for name, value in record.headers if name not in IN_COLUMNS]
    texts = {name: text for name, value in others if (text := _text(value)) is not None}
    return texts if len(texts) == len(others) else None


def _raw(record: Record) -> object:
    return msgspec.to_builtins(Raw(record.timestamp_ms, record.key, record.value, record.headers))


def _text(value: bytes | None) -> str | None:
    try:
        return None if value is None else value.decode()
    except UnicodeDecodeError:
        return None


def _masked(row: Row) -> Row:
    # Nothing personal can be found in bytes, so all of them are hidden.
    fields = msgspec.structs.asdict(row) | {"raw": None if row.raw is None else HIDDEN}
    return Row(**cast("dict[str, Any]", masked(fields)))
