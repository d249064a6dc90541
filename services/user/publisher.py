"""What the log says of an event: the fact, then the state after it, then a bare notice; all with one `ce_id`."""

from collections.abc import Sequence

import msgspec

from services.chassis.event_store import StoredEvent
from services.chassis.record import Outgoing
from services.contracts import catalog, user
from services.contracts.envelope import Envelope, schema_of, to_headers
from services.contracts.user import UserNotice


def records(stored: StoredEvent) -> Sequence[Outgoing]:
    """Return the three records of an event, in the order in which they are to be written."""
    event = stored.event
    notice = msgspec.json.encode(UserNotice(event.subject, event.type, event.version))
    state = None if event.state is None else event.state.encode()
    return (
        _record(stored, catalog.USER_EVENTS.name, (user.EVENTS, event.type), event.data.encode()),
        _record(stored, catalog.USER_STATE.name, (user.STATE, "user.state"), state),
        _record(stored, catalog.USER_NOTICES.name, (user.NOTICES, "user.notice"), notice),
    )


def _record(stored: StoredEvent, topic: str, origin: tuple[str, str], value: bytes | None) -> Outgoing:
    event = stored.event
    source, kind = origin
    envelope = Envelope(
        id=event.event_id,
        source=source,
        type=kind,
        subject=event.subject,
        time=stored.time,
        schema=schema_of(kind),
        sequence=stored.sequence,
        version=event.version,
        correlation_id=event.metadata.correlation_id,
        causation_id=event.metadata.causation_id,
        traceparent=event.metadata.traceparent,
    )
    moment = int(stored.time.timestamp() * 1000)
    return Outgoing(topic, event.subject.encode(), value, to_headers(envelope), moment)
