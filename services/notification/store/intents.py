"""The queue of mails to be sent: claimed for a time, settled together with the events that tell of it.

A claim is known by its end: what has been claimed again since has another, and is no longer ours to settle.
"""

import threading
from collections.abc import Callable, Sequence
from datetime import datetime

import msgspec
from sqlalchemy import Connection, Row, bindparam, exists, select, update
from sqlalchemy.sql.selectable import TypedReturnsRows

from services.chassis.database.database import Database, now_ms
from services.chassis.messages.clock import Clock, from_micros, to_micros
from services.chassis.messages.event import Metadata, NewEvent
from services.chassis.outbox.event_store import append, last_versions
from services.contracts.catalog import TYPE_NAMES
from services.contracts.notification import NotificationFailed, NotificationSent, Recipient
from services.contracts.user import Personal, UserState
from services.notification import domain
from services.notification.domain import CLAIM_S, Attempt, Claim, Letter, Next, State
from services.notification.store.tables import intents, replica


class Queue(msgspec.Struct, frozen=True):
    """The intents that are not finished. Each user's are worked off in order. See `sender.Queue`."""

    database: Database
    clock: Clock
    new_id: Callable[[], str]
    mail_from: str
    appended: threading.Event
    claim_s: float = CLAIM_S

    def claim(self, limit: int) -> list[Claim]:
        """Claim up to `limit` due intents, each the oldest unfinished one of its user; committed on return."""
        with self.database.write() as connection:
            rows = connection.execute(_claim(now_ms(connection), self.claim_s, limit)).all()
            people = _people(connection, [row.user_id for row in rows])
        return [self._claim(row, people.get(row.user_id)) for row in sorted(rows, key=lambda row: int(row.id))]

    def settle(self, attempts: Sequence[Attempt], unused: Sequence[Claim]) -> None:
        """Write what came of claims, and the events that say so; give unused claims back without counting a try."""
        with self.database.write() as connection:
            settlement = _Settlement(connection, self.new_id)
            append(connection, self.clock(), lambda moment: settlement.decide(attempts, unused, moment))
        self.appended.set()

    def _claim(self, row: Row[*tuple[object, ...]], person: Personal | None) -> Claim:
        letter = Letter(
            message_id=domain.message_id(row.notification_id, self.mail_from),
            template=row.template,
            recipient=row.recipient,
            full_name=person.full_name if person else None,
            correlation_id=row.correlation_id,
            queued_at=from_micros(row.queued_at),
            locale=person.locale if person else None,
        )
        return Claim(
            id=row.id,
            until=row.due_at,
            tries=row.tries,
            doubts=row.doubts,
            notification_id=row.notification_id,
            user_id=row.user_id,
            event_id=row.event_id,
            traceparent=row.traceparent,
            letter=letter,
        )


class _Settlement:
    def __init__(self, connection: Connection, new_id: Callable[[], str]) -> None:
        self._connection = connection
        self._new_id = new_id

    def decide(self, attempts: Sequence[Attempt], unused: Sequence[Claim], moment: datetime) -> list[NewEvent]:
        """Write the intents' new states and return the events of those that are finished."""
        ours = self._lock([attempt.claim for attempt in attempts] + list(unused))
        followed = [
            (attempt, domain.after(attempt.delivery.fate, attempt.claim.tries, attempt.claim.doubts))
            for attempt in attempts
            if attempt.claim.id in ours
        ]
        self._update(followed, moment)
        self._give_back([claim.id for claim in unused if claim.id in ours])
        return self._events([(attempt, then) for attempt, then in followed if then.wait_s is None])

    def _lock(self, claims: Sequence[Claim]) -> set[int]:
        query = select(intents.c.id, intents.c.due_at).where(intents.c.id.in_([claim.id for claim in claims]))
        ends = {row.id: row.due_at for row in self._connection.execute(query.with_for_update())}
        return {claim.id for claim in claims if ends[claim.id] == claim.until}

    def _update(self, followed: Sequence[tuple[Attempt, Next]], moment: datetime) -> None:
        if not followed:
            return
        now, updated_at = now_ms(self._connection), to_micros(moment)
        statement = update(intents).where(intents.c.id == bindparam("claimed"))
        rows = [
            {
                "claimed": attempt.claim.id,
                "state": then.state,
                "detail": attempt.delivery.detail,
                "doubts": attempt.claim.doubts + (then.state is State.UNKNOWN),
                "due_at": None if then.wait_s is None else now + then.wait_s * 1000,
                "updated_at": updated_at,
            }
            for attempt, then in followed
        ]
        self._connection.execute(statement, rows)

    def _give_back(self, ids: Sequence[int]) -> None:
        if ids:
            unclaimed = {"state": State.OPEN, "tries": intents.c.tries - 1, "due_at": 0}
            self._connection.execute(update(intents).where(intents.c.id.in_(ids)).values(unclaimed))

    def _events(self, finished: Sequence[tuple[Attempt, Next]]) -> list[NewEvent]:
        versions = last_versions(self._connection, [attempt.claim.user_id for attempt, _ in finished])
        return [
            _event(self._new_id(), versions.get(attempt.claim.user_id, 0) + 1, attempt, then)
            for attempt, then in finished  # one per user: a claim is the oldest of its user's
        ]


def _claim(now: int, seconds: float, limit: int) -> TypedReturnsRows[*tuple[object, ...]]:
    # A CTE, because PostgreSQL may run a subquery in IN several times and would then lock more than the limit.
    earlier = intents.alias()
    same_user = (earlier.c.user_id == intents.c.user_id, earlier.c.id < intents.c.id, earlier.c.due_at.is_not(None))
    due = (
        select(intents.c.id)
        .where(intents.c.due_at <= now, ~exists().where(*same_user))
        .order_by(intents.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("due")
    )
    taken = {"state": State.ATTEMPTING, "tries": intents.c.tries + 1, "due_at": now + int(seconds * 1000)}
    return update(intents).where(intents.c.id.in_(select(due.c.id))).values(taken).returning(intents)


def _people(connection: Connection, user_ids: Sequence[str]) -> dict[str, Personal]:
    rows = connection.execute(select(replica).where(replica.c.user_id.in_(user_ids), replica.c.state.is_not(None)))
    return {row.user_id: msgspec.json.decode(row.state, type=UserState).personal for row in rows}


def _event(event_id: str, version: int, attempt: Attempt, then: Next) -> NewEvent:
    claim = attempt.claim
    fact = _fact(attempt, then)
    return NewEvent(
        event_id=event_id,
        subject=claim.user_id,
        version=version,
        type=TYPE_NAMES[type(fact)],
        data=msgspec.json.encode(fact).decode(),
        metadata=Metadata(claim.letter.correlation_id, claim.event_id, claim.traceparent),
    )


def _fact(attempt: Attempt, then: Next) -> NotificationSent | NotificationFailed:
    claim = attempt.claim
    if then.state is State.SENT:
        return NotificationSent(claim.notification_id, claim.user_id, claim.letter.message_id, claim.tries)
    what = (claim.notification_id, claim.user_id, attempt.delivery.detail, then.permanent, claim.tries)
    return NotificationFailed(*what, Recipient(claim.letter.recipient))
