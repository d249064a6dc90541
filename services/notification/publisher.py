"""What the log says of an event of this service: the fact."""

from collections.abc import Sequence

from services.chassis.messages.event import StoredEvent
from services.chassis.messages.record import Outgoing
from services.contracts.catalog import NOTIFICATION_EVENTS
from services.contracts.envelope import Envelope, schema_of, to_headers
from services.contracts.notification import EVENTS


def records(stored: StoredEvent) -> Sequence[Outgoing]:
    """Return the record of an event."""
    event = stored.event
    envelope = Envelope(
        id=event.event_id,
        source=EVENTS,
        type=event.type,
        subject=event.subject,
        time=stored.time,
        schema=schema_of(event.type),
        sequence=stored.sequence,
        version=event.version,
        correlation_id=event.metadata.correlation_id,
        causation_id=event.metadata.causation_id,
        traceparent=event.metadata.traceparent,
    )
    moment = int(stored.time.timestamp() * 1000)
    key, value = event.subject.encode(), event.data.encode()
    return (Outgoing(NOTIFICATION_EVENTS.name, key, value, to_headers(envelope), moment),)
