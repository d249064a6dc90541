"""Events as plain values, without a table, so that a service without an event store can import them."""

from datetime import datetime

import msgspec


class Metadata(msgspec.Struct, frozen=True, omit_defaults=True):
    """The origin of an event: correlation, causing event, trace context, and the caller who asked for it.

    `shape` is the version of the event's data.
    """

    correlation_id: str
    causation_id: str | None = None
    traceparent: str | None = None
    shape: int = 1
    actor: str | None = None


class NewEvent(msgspec.Struct, frozen=True):
    """An event without a sequence number yet. `data` and `state` are JSON."""

    event_id: str
    subject: str
    version: int
    type: str
    data: str
    metadata: Metadata
    state: str | None = None


class StoredEvent(msgspec.Struct, frozen=True):
    """An event with its sequence number and time."""

    sequence: int
    time: datetime
    event: NewEvent


class Published(msgspec.Struct, frozen=True):
    """A published event: sequence number, id, and `place` (`topic[partition]@offset`)."""

    sequence: int
    event_id: str
    place: str
