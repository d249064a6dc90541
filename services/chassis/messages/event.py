"""Events as a store has them: plain values. Knows no table, so that a service without a store may name them."""

from datetime import datetime

import msgspec


class Metadata(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where an event comes from."""

    correlation_id: str
    causation_id: str | None = None
    traceparent: str | None = None


class NewEvent(msgspec.Struct, frozen=True):
    """An event that has been decided and has no sequence number yet. `data` and `state` are JSON."""

    event_id: str
    subject: str
    version: int
    type: str
    data: str
    metadata: Metadata
    state: str | None = None


class StoredEvent(msgspec.Struct, frozen=True):
    """An event with its place in the publisher's order."""

    sequence: int
    time: datetime
    event: NewEvent


class Published(msgspec.Struct, frozen=True):
    """An event of this publisher on the log: its sequence number, its id, and where it stands."""

    sequence: int
    event_id: str
    place: str
