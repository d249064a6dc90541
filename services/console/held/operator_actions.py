"""Record of what operators do to held records: the one place where an action becomes an event."""

import structlog
from sqlalchemy import Connection

log = structlog.get_logger()


def record(connection: Connection, action: str, reason: str, number: int) -> None:
    """Record an action in the transaction that does it."""
    del connection  # the event store of the service, once it has operators' events
    log.info("operator", action=action, reason=reason, records=number)
