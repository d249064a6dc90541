"""Queries of the API and of the monitor of waiting notices."""

from datetime import datetime

from sqlalchemy import Connection, func, select

from services.chassis.consumer.idempotency import inbox
from services.chassis.messages.clock import from_micros, to_micros
from services.contracts.user import NOTICES
from services.notification.domain import ListedIntent, OverdueNotices, UnfinishedIntents
from services.notification.store.tables import intents, replica, waiting


def notifications(connection: Connection, user_id: str, after: int, limit: int) -> list[ListedIntent]:
    """Return a user's notifications after a place, in the order in which they were queued."""
    query = (
        select(intents).where(intents.c.user_id == user_id, intents.c.id > after).order_by(intents.c.id).limit(limit)
    )
    return [
        ListedIntent(
            place=row.id,
            notification_id=row.notification_id,
            user_version=row.user_version,
            template=row.template,
            recipient=row.recipient,
            state=row.state,
            detail=row.detail,
            correlation_id=row.correlation_id,
            tries=row.tries,
            updated_at=from_micros(row.updated_at),
        )
        for row in connection.execute(query)
    ]


def version(connection: Connection, user_id: str) -> int:
    """Return the version of a user up to which both states and notices are processed, 0 if none."""
    states = select(replica.c.version).where(replica.c.user_id == user_id)
    notices = select(func.max(inbox.c.version)).where(inbox.c.source == NOTICES, inbox.c.subject == user_id)
    seen = connection.execute(select(states.scalar_subquery(), notices.scalar_subquery())).one()
    return min(number or 0 for number in seen)


def unfinished(connection: Connection) -> list[UnfinishedIntents]:
    """Return count and age of the unfinished intents, by state."""
    query = (
        select(intents.c.state, func.count(), func.min(intents.c.queued_at))
        .where(intents.c.due_at.is_not(None))
        .group_by(intents.c.state)
    )
    return [
        UnfinishedIntents(state, number, from_micros(oldest)) for state, number, oldest in connection.execute(query)
    ]


def oldest_waiting(connection: Connection) -> datetime | None:
    """Return the time since which the oldest notice waits, None if none waits."""
    since = connection.scalar(select(func.min(waiting.c.since)))
    return None if since is None else from_micros(since)


def overdue(connection: Connection, before: datetime) -> OverdueNotices | None:
    """Return the notices that have waited since before a moment, None if there are none."""
    old = waiting.c.since < to_micros(before)
    number = connection.scalar(select(func.count()).where(old)) or 0
    oldest = connection.execute(select(waiting).where(old).order_by(waiting.c.since).limit(1)).first()
    return None if oldest is None else OverdueNotices(number, oldest.notice_id, oldest.user_id, oldest.version)
