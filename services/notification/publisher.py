"""Builds the outgoing record of a stored event: the fact."""

from collections.abc import Sequence

from services.chassis.messages.event import StoredEvent
from services.chassis.messages.record import Outgoing
from services.chassis.outbox.fact_record import fact_record
from services.contracts.catalog import NOTIFICATION_EVENTS
from services.contracts.notification import EVENTS


def records(stored: StoredEvent) -> Sequence[Outgoing]:
    """Return the record of an event."""
    return (fact_record(stored, EVENTS, NOTIFICATION_EVENTS.name),)
