"""Claims due intents and writes the results of their deliveries.

A claim is identified by the end of its lease: a later claim of the same intent has another end.
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, and_, bindparam, exists, or_, select, update
from sqlalchemy.sql.selectable import TypedReturnsRows

from services.chassis.database.database import now_ms
from services.chassis.messages.clock import from_micros, to_micros
from services.contracts.envelope import correlation_of
from services.contracts.user import Personal, UserState
from services.notification import domain
from services.notification.domain import (
    RETRY_AFTER_S,
    ClaimedIntent,
    DeliveryResult,
    IntentState,
    backoff_s,
    tries_after,
)
from services.notification.store.tables import intents, replica

LONGEST_BACKOFF_MS = max(RETRY_AFTER_S) * 1000

Outcome = tuple[ClaimedIntent, DeliveryResult, IntentState]


def claim(connection: Connection, limit: int, seconds: float, mail_from: str) -> list[ClaimedIntent]:
    """Claim up to `limit` due intents, each the oldest unfinished one of its user."""
    rows = connection.execute(_claim(now_ms(connection), int(seconds * 1000), limit)).all()
    people = _people(connection, [row.user_id for row in rows])
    return [_claimed(row, people.get(row.user_id), mail_from) for row in sorted(rows, key=lambda row: int(row.id))]


def lock(connection: Connection, claims: Sequence[ClaimedIntent]) -> set[int]:
    """Lock the intents of claims. Returns the ids of those that are still claimed by the caller."""
    query = select(intents.c.id, intents.c.due_at).where(intents.c.id.in_([claim.id for claim in claims]))
    ends = {row.id: row.due_at for row in connection.execute(query.with_for_update())}
    return {claim.id for claim in claims if ends[claim.id] == claim.lease_until}


def write_outcomes(connection: Connection, outcomes: Sequence[Outcome], moment: datetime) -> None:
    """Write the states that follow from delivery results."""
    if not outcomes:
        return
    now, updated_at = now_ms(connection), to_micros(moment)
    statement = update(intents).where(intents.c.id == bindparam("claimed"))
    connection.execute(statement, [_outcome_row(outcome, now) | {"updated_at": updated_at} for outcome in outcomes])


def release(connection: Connection, ids: Sequence[int]) -> None:
    """End claims without counting their try."""
    if ids:
        unclaimed = {"state": IntentState.OPEN, "tries": intents.c.tries - 1, "due_at": 0}
        connection.execute(update(intents).where(intents.c.id.in_(ids)).values(unclaimed))


def _outcome_row(outcome: Outcome, now: int) -> dict[str, object]:
    claimed, result, state = outcome
    tries = tries_after(result.status, claimed.tries)
    wait_s = backoff_s(state, tries)
    return {
        "claimed": claimed.id,
        "state": state,
        "detail": result.detail,
        "tries": tries,
        "doubts": claimed.unknown_tries + (state is IntentState.UNKNOWN),
        "due_at": None if wait_s is None else now + wait_s * 1000,
    }


def _claimed(row: Row[*tuple[object, ...]], person: Personal | None, mail_from: str) -> ClaimedIntent:
    return ClaimedIntent(
        id=row.id,
        lease_until=row.due_at,
        tries=row.tries,
        unknown_tries=row.doubts,
        notification_id=row.notification_id,
        message_id=domain.message_id(row.notification_id, mail_from),
        user_id=row.user_id,
        event_id=row.event_id,
        correlation_id=correlation_of(row.correlation_id, row.event_id),
        traceparent=row.traceparent,
        template=row.template,
        recipient=row.recipient,
        queued_at=from_micros(row.queued_at),
        full_name=person.full_name if person else None,
        locale=person.locale if person else None,
    )


def _is_due(now: int, claim_ms: int) -> ColumnElement[bool]:
    # A time much further ahead than a claim or backoff lasts was written by a clock that was wrong. Twice its
    # duration, because clocks are also set back a little while a claim is held.
    claimed = intents.c.state == IntentState.ATTEMPTING
    return or_(
        intents.c.due_at <= now,
        intents.c.due_at > now + 2 * max(claim_ms, LONGEST_BACKOFF_MS),
        and_(claimed, intents.c.due_at > now + 2 * claim_ms),
    )


def _claim(now: int, claim_ms: int, limit: int) -> TypedReturnsRows[*tuple[object, ...]]:
    # A CTE, because PostgreSQL may run a subquery in IN several times and would then lock more than the limit.
    earlier = intents.alias()
    same_user = (earlier.c.user_id == intents.c.user_id, earlier.c.id < intents.c.id, earlier.c.due_at.is_not(None))
    due = (
        select(intents.c.id)
        .where(_is_due(now, claim_ms), ~exists().where(*same_user))
        .order_by(intents.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("due")
    )
    taken = {"state": IntentState.ATTEMPTING, "tries": intents.c.tries + 1, "due_at": now + claim_ms}
    return update(intents).where(intents.c.id.in_(select(due.c.id))).values(taken).returning(intents)


def _people(connection: Connection, user_ids: Sequence[str]) -> dict[str, Personal]:
    rows = connection.execute(select(replica).where(replica.c.user_id.in_(user_ids), replica.c.state.is_not(None)))
    return {row.user_id: msgspec.json.decode(row.state, type=UserState).personal for row in rows}
