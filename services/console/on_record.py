"""Puts an operator's action on record, in the transaction and the store of the action."""

from sqlalchemy import Connection

from services.chassis.messages.clock import utc_now
from services.chassis.outbox import operator_events
from services.chassis.outbox.operator_events import Action, system_operator


def on_record(connection: Connection, action: Action) -> str:
    """Append the event of an action; the service's relay publishes it. Returns its correlation id."""
    return operator_events.record(connection, action, system_operator(), utc_now())
