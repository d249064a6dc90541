"""Builds the record of a stored event: the envelope of contracts/envelope.py in its headers."""

from services.chassis.messages import traceparent
from services.chassis.messages.event import StoredEvent
from services.chassis.messages.record import Outgoing
from services.contracts.envelope import Envelope, correlation_of, schema_of, to_headers


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
    )
    return Outgoing(topic, event.subject.encode(), event.data.encode(), to_headers(envelope))
