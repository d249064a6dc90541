"""What the log says of an event: the fact, then the state after it, then a bare notice; all with one `ce_id`."""

from collections.abc import Sequence

import msgspec

from services.chassis.messages.event import StoredEvent
from services.chassis.messages.record import Outgoing
from services.contracts import catalog, user
from services.contracts.envelope import Envelope, schema_of, to_headers, to_headers_of
from services.contracts.user import UserNotice


def records(stored: StoredEvent) -> Sequence[Outgoing]:
    """Return the three records of an event, in the order in which they are to be written."""
    event = stored.event
    fact = to_headers(_envelope(stored))
    state = None if event.state is None else event.state.encode()
    notice = msgspec.json.encode(UserNotice(event.subject, event.type, event.version))
    key, moment = event.subject.encode(), int(stored.time.timestamp() * 1000)
    return (
        Outgoing(catalog.USER_EVENTS.name, key, event.data.encode(), fact, moment),
        Outgoing(catalog.USER_STATE.name, key, state, to_headers_of(fact, user.STATE, "user.state"), moment),
        Outgoing(catalog.USER_NOTICES.name, key, notice, to_headers_of(fact, user.NOTICES, "user.notice"), moment),
    )


def _envelope(stored: StoredEvent) -> Envelope:
    event = stored.event
    return Envelope(
        id=event.event_id,
        source=user.EVENTS,
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
