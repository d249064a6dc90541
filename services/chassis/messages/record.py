"""A Kafka record as the services see it: plain values, no client object."""

import msgspec

from services.chassis.messages import traceparent

Headers = list[tuple[str, bytes | None]]
NAMES = {"ce_id": "ce_id", "ce_type": "ce_type", "ce_correlationid": "correlation_id"}  # headers, fields of a log line
LONGEST_NAME = 64


class TopicPartition(msgspec.Struct, frozen=True):
    """One partition of a topic."""

    topic: str
    partition: int


class Record(msgspec.Struct, frozen=True):
    """A record that was read. `headers` is None where the client could not read them.

    `timestamp_type` is 1 for the producer's time, 2 for the broker's; `timestamp_ms` counts from 1970. `context` is the
    `traceparent` of the work on this record, where that is recorded.
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
        """Where the record stands, for messages: `topic[partition]@offset`."""
        return f"{self.topic}[{self.partition}]@{self.offset}"

    @property
    def traceparent(self) -> str | None:
        """The context that the record came with."""
        return traceparent.read(self.header("traceparent") or "")

    @property
    def named(self) -> dict[str, str | int]:
        """What a log line calls the record by; what its headers do not tell is left out."""
        told = {name: self.header(header) for header, name in NAMES.items()}
        told["trace_id"] = traceparent.trace_id(self.traceparent)
        place: dict[str, str | int] = {"topic": self.topic, "partition": self.partition, "offset": self.offset}
        return place | {name: value for name, value in told.items() if value}

    def header(self, name: str) -> str | None:
        """Return the start of a header as text, None where it is missing or null."""
        for given, value in reversed(self.headers or ()):
            if given == name:
                return None if value is None else value[:LONGEST_NAME].decode(errors="backslashreplace")
        return None


class Outgoing(msgspec.Struct, frozen=True):
    """A record to be written."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers
    timestamp_ms: int
