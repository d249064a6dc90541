"""A Kafka record as the services see it: plain values, no client object."""

import msgspec

Headers = list[tuple[str, bytes | None]]


class TopicPartition(msgspec.Struct, frozen=True):
    """One partition of a topic."""

    topic: str
    partition: int


class Record(msgspec.Struct, frozen=True):
    """A record that was read. `headers` is None where the client could not read them.

    `timestamp_type` is 1 for the producer's time, 2 for the broker's; `timestamp_ms` counts from 1970.
    """

    topic: str
    partition: int
    offset: int
    timestamp_type: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: Headers | None

    @property
    def place(self) -> str:
        """Where the record stands, for messages: `topic[partition]@offset`."""
        return f"{self.topic}[{self.partition}]@{self.offset}"


class Outgoing(msgspec.Struct, frozen=True):
    """A record to be written."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers
    timestamp_ms: int
