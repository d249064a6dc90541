"""The record of a stored event, with the envelope of contracts/envelope.py in its headers, and the way back."""

import msgspec

from services.chassis.messages import traceparent
from services.chassis.messages.clock import to_micros
from services.chassis.messages.event import Metadata, StoredEvent
from services.chassis.messages.record import Outgoing
from services.contracts.envelope import Envelope, correlation_of, schema_of, to_headers, version_of


def fact_record(stored: StoredEvent, source: str, topic: str) -> Outgoing:
    """Return the record that carries an event; its key is the subject."""
    event = stored.event
    envelope = Envelope(
        id=event.event_id,
        source=source,
        type=event.type,
        subject=event.subject,
        time=stored.time,
        schema=schema_of(event.type, event.metadata.shape),
        sequence=stored.sequence,
        version=event.version,
        correlation_id=correlation_of(event.metadata.correlation_id, event.event_id),
        causation_id=event.metadata.causation_id,
        traceparent=traceparent.read(event.metadata.traceparent or ""),  # earlier versions stored any text
        actor=event.metadata.actor,
    )
    return Outgoing(topic, event.subject.encode(), event.data.encode(), to_headers(envelope))


def event_row(envelope: Envelope, data: bytes, state: str | None = None) -> tuple[object, ...]:
    """Return the row of a published event, in the order of the columns of `event_store.events`.

    `data` is that of the record, in its own shape; `state`, which is on no record of the topic, is the publisher's.
    """
    shape = version_of(envelope.schema)
    origin = Metadata(envelope.correlation_id, envelope.causation_id, envelope.traceparent, shape, envelope.actor)
    named = (envelope.sequence, envelope.id, envelope.subject, envelope.version, envelope.type)
    return (*named, to_micros(envelope.time), data.decode(), state, msgspec.json.encode(origin).decode())
