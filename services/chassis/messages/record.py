"""Kafka records as plain values, without client objects."""

from datetime import timedelta

import msgspec

from services.chassis.messages import traceparent
from services.chassis.messages.clock import EPOCH
from services.contracts.envelope import to_text

Headers = list[tuple[str, bytes | None]]
NAMES = {"ce_id": "ce_id", "ce_type": "ce_type", "ce_correlationid": "correlation_id"}  # headers, fields of a log line
LONGEST_NAME = 64
# Kafka's message format 2: a batch's own 61 bytes and the widest varints of a record, and two of a header.
FRAMING = 61 + 36
HEADER_FRAMING = 2 * 5


class TopicPartition(msgspec.Struct, frozen=True):
    """One partition of a topic."""

    topic: str
    partition: int


def partitions_of(topic: str, number: int) -> list[TopicPartition]:
    """Return the partitions of a topic that has so many."""
    return [TopicPartition(topic, partition) for partition in range(number)]


class Record(msgspec.Struct, frozen=True):
    """A record that was read. `headers` is None if the client could not parse them.

    `timestamp_type` is 1 for the producer's time, 2 for the broker's; `timestamp_ms` counts from 1970. `context` is the
    `traceparent` of the span that processes this record, if it is sampled.
    """

    topic: str
    partition: int
    offset: int
    timestamp_type: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: Headers | None
    context: str | None = None

    @property
    def place(self) -> str:
        """The position of the record, for messages: `topic[partition]@offset`."""
        return f"{self.topic}[{self.partition}]@{self.offset}"

    @property
    def time(self) -> str | None:
        """The record's timestamp as RFC 3339 in UTC; None beyond the year 9999, as any 64 bits can be a timestamp."""
        try:
            return to_text(EPOCH + timedelta(milliseconds=self.timestamp_ms))
        except OverflowError:
            return None

    @property
    def traceparent(self) -> str | None:
        """The trace context in the record's headers."""
        return traceparent.read(self.header("traceparent") or "")

    @property
    def named(self) -> dict[str, str | int]:
        """The fields that identify the record in a log line; missing headers are left out."""
        found = {name: self.header(header) for header, name in NAMES.items()}
        found["trace_id"] = traceparent.trace_id(self.traceparent)
        place: dict[str, str | int] = {"topic": self.topic, "partition": self.partition, "offset": self.offset}
        return place | {name: value for name, value in found.items() if value}

    def header(self, name: str) -> str | None:
        """Return up to 64 bytes of a header as text, None if it is missing or null."""
        for given, value in reversed(self.headers or ()):
            if given == name:
                return None if value is None else value[:LONGEST_NAME].decode(errors="backslashreplace")
        return None


class Outgoing(msgspec.Struct, frozen=True):
    """A record to be written. It gets the time of its writing: retention counts from then."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers

    @property
    def size(self) -> int:
        """The most bytes that the record takes in a batch of its own, uncompressed, with headers and framing."""
        headers = sum(len(name.encode()) + len(value or b"") + HEADER_FRAMING for name, value in self.headers)
        return FRAMING + len(self.key or b"") + len(self.value or b"") + headers
