"""Claims due intents and writes the results of their deliveries.

A claim is identified by the end of its lease: a later claim of the same intent has another end.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import BindParameter, ColumnElement, Connection, Row, and_, bindparam, exists, or_, select, update
from sqlalchemy.sql.selectable import TypedReturnsRows

from services.chassis.database.bulk import one_of
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
PEOPLE = select(replica).where(one_of(replica.c.user_id, "ids"), replica.c.state.is_not(None))
IDS: BindParameter[Sequence[int]] = bindparam("ids", expanding=True)
LOCK = select(intents.c.id, intents.c.due_at).where(intents.c.id.in_(IDS)).with_for_update()
RESULT = ("state", "detail", "tries", "doubts", "due_at", "updated_at")  # the columns that a result changes
WRITE = update(intents).where(intents.c.id.in_(IDS)).values({name: bindparam(f"new_{name}") for name in RESULT})
RELEASE = (
    update(intents)
    .where(intents.c.id.in_(IDS))
    .values(state=IntentState.OPEN.value, tries=intents.c.tries - 1, due_at=0)
)
STATES = msgspec.json.Decoder(UserState)

Outcome = tuple[ClaimedIntent, DeliveryResult, IntentState]
Rows = Sequence[Row[*tuple[Any, ...]]]


def to_domains(but: Collection[str], only: Collection[str]) -> list[ColumnElement[bool]]:
    """Return the conditions that a mail is to no domain in `but`, and to one in `only` if there are any."""
    excluded, included = (
        [intents.c.recipient.endswith(f"@{domain}", autoescape=True) for domain in sorted(domains)]
        for domains in (but, only)
    )
    return [*(~condition for condition in excluded), *([or_(*included)] if included else [])]


def claim(connection: Connection, limit: int, seconds: float, conditions: Sequence[ColumnElement[bool]] = ()) -> Rows:
    """Claim up to `limit` due intents, each the oldest unfinished one of its user, that meet conditions."""
    now, claim_ms = now_ms(connection), int(seconds * 1000)
    values = {
        "now": now,
        "until": now + claim_ms,
        # A time much further ahead than a claim or backoff lasts was written by a clock that was wrong. Twice its
        # duration, because clocks are also set back a little while a claim is held.
        "no_claim": now + 2 * claim_ms,
        "no_backoff": now + 2 * max(claim_ms, LONGEST_BACKOFF_MS),
        "most": limit,
    }
    rows = connection.execute(_claim(*conditions) if conditions else CLAIM, values).all()
    return sorted(rows, key=lambda row: int(row.id))


def claimed(connection: Connection, rows: Rows, mail_from: str) -> list[ClaimedIntent]:
    """Return claimed rows with what is known of their users."""
    ids = [row.user_id for row in rows]
    found = connection.execute(PEOPLE, {"ids": ids}) if ids else ()
    people = {row.user_id: STATES.decode(row.state).personal for row in found}
    return [_claimed(row, people.get(row.user_id), mail_from) for row in rows]


def lock(connection: Connection, claims: Sequence[ClaimedIntent]) -> set[int]:
    """Lock the intents of claims. Returns the ids of those that are still claimed by the caller."""
    ends = {row.id: row.due_at for row in connection.execute(LOCK, {"ids": [claim.id for claim in claims]})}
    return {claim.id for claim in claims if ends[claim.id] == claim.lease_until}


def write_outcomes(connection: Connection, outcomes: Sequence[Outcome], moment: datetime) -> None:
    """Write the states that follow from delivery results, with one statement for all that are alike."""
    if not outcomes:
        return
    now, updated_at = now_ms(connection), to_micros(moment)
    alike: defaultdict[tuple[object, ...], list[int]] = defaultdict(list)
    for outcome in outcomes:
        alike[*_result(outcome, now), updated_at].append(outcome[0].id)
    for values, ids in alike.items():
        named = {f"new_{name}": value for name, value in zip(RESULT, values, strict=True)}
        connection.execute(WRITE, {**named, "ids": ids})


def release(connection: Connection, ids: Sequence[int]) -> None:
    """End claims without counting their try."""
    if ids:
        connection.execute(RELEASE, {"ids": ids})


def _result(outcome: Outcome, now: int) -> tuple[object, ...]:
    claim, result, state = outcome
    tries = tries_after(result.status, claim.tries)
    doubts = claim.unknown_tries + (state is IntentState.UNKNOWN)
    wait_s = backoff_s(state, tries)
    return state.value, result.detail, tries, doubts, None if wait_s is None else now + wait_s * 1000


def _claimed(row: Row[*tuple[Any, ...]], person: Personal | None, mail_from: str) -> ClaimedIntent:
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
        actor=row.actor,
    )


def _claim(*conditions: ColumnElement[bool]) -> TypedReturnsRows[*tuple[Any, ...]]:
    # A CTE, because PostgreSQL may run a subquery in IN several times and would then lock more than the limit.
    due_at, earlier = intents.c.due_at, intents.alias()
    claim_of_a_wrong_clock = and_(intents.c.state == IntentState.ATTEMPTING.value, due_at > bindparam("no_claim"))
    is_due = or_(due_at <= bindparam("now"), due_at > bindparam("no_backoff"), claim_of_a_wrong_clock)
    unfinished = due_at.is_not(None)  # follows from is_due; without it SQLite reads finished mails too
    same_user = (earlier.c.user_id == intents.c.user_id, earlier.c.id < intents.c.id, earlier.c.due_at.is_not(None))
    due = (
        select(intents.c.id)
        .where(unfinished, is_due, ~exists().where(*same_user), *conditions)
        .order_by(intents.c.id)
        .limit(bindparam("most"))
        .with_for_update(skip_locked=True)
        .cte("due")
    )
    taken = {"state": IntentState.ATTEMPTING.value, "tries": intents.c.tries + 1, "due_at": bindparam("until")}
    return update(intents).where(intents.c.id.in_(select(due.c.id))).values(taken).returning(intents)


CLAIM = _claim()  # built once: a third of what it costs to build it for each claim
