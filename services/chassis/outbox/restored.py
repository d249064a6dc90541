"""Rows of the event store from the records of its own topic."""

import msgspec

from services.chassis.messages.clock import to_micros
from services.chassis.messages.event import Metadata
from services.contracts.envelope import Envelope, version_of


def event_row(envelope: Envelope, data: bytes, state: str | None = None) -> tuple[object, ...]:
    """Return the row of a published event, in the order of the columns of `event_store.events`.

    `data` is that of the record, in its own shape; `state`, which is on no record of the topic, is the publisher's.
    """
    shape = version_of(envelope.schema)
    origin = Metadata(envelope.correlation_id, envelope.causation_id, envelope.traceparent, shape)
    named = (envelope.sequence, envelope.id, envelope.subject, envelope.version, envelope.type)
    return (*named, to_micros(envelope.time), data.decode(), state, msgspec.json.encode(origin).decode())
