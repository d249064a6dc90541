"""Events of what operators do to held records."""

from collections.abc import Sequence

import structlog
from sqlalchemy import Connection

from services.chassis.consumer.held.record import Held
from services.chassis.outbox.operator_events import Action, has_table, record_by_system_user

log = structlog.get_logger()


def record(connection: Connection, action: tuple[str, str], rows: Sequence[Held], number: int) -> None:
    """Record an action, which is a name and a reason, in the transaction that does it.

    A service without an outbox has no table for it: there, the log has it alone.
    """
    name, reason = action
    selection = f"{rows[0].record.place} to {rows[-1].record.place}" if len(rows) > 1 else rows[0].record.place
    if has_table(connection):
        record_by_system_user(connection, Action(name=name, selection=selection, count=number, reason=reason))
    else:
        log.info("operator", action=name, selection=selection, reason=reason, records=number)
