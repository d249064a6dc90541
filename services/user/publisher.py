"""Builds the outgoing records of a stored event: fact, state and notice, all with the same `ce_id`."""

from collections.abc import Sequence

import msgspec

from services.chassis.messages.event import StoredEvent
from services.chassis.messages.record import Outgoing
from services.chassis.outbox.fact_record import fact_record
from services.contracts import catalog, user
from services.contracts.envelope import to_headers_of
from services.contracts.user import UserNotice


def records(stored: StoredEvent) -> Sequence[Outgoing]:
    """Return the three records of an event, in the order in which they are published."""
    event = stored.event
    fact = fact_record(stored, user.EVENTS, catalog.USER_EVENTS.name)
    state = None if event.state is None else event.state.encode()
    notice = msgspec.json.encode(UserNotice(event.subject, event.type, event.version))
    of_state = to_headers_of(fact.headers, user.STATE, "user.state")
    of_notice = to_headers_of(fact.headers, user.NOTICES, "user.notice")
    return (
        fact,
        Outgoing(catalog.USER_STATE.name, fact.key, state, of_state),
        Outgoing(catalog.USER_NOTICES.name, fact.key, notice, of_notice),
    )
