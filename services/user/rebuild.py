"""Rebuild of all users from `user.events.v1`: a fold into a separate table, and its comparison with `users`.

It proves that the topic is the source of truth. The topic's rule is `contiguous`.
"""

from collections.abc import Mapping, Sequence
from typing import cast

import msgspec
from sqlalchemy import Column, Connection, Integer, LargeBinary, MetaData, String, Table, Text, select

from services.chassis.consumer.decoding import Decoder, Event
from services.chassis.consumer.held.reasons import Refusal
from services.chassis.consumer.idempotency import Applied, Verdict, contiguous
from services.chassis.consumer.subscription import Outcome
from services.chassis.database import bulk
from services.chassis.messages.record import Record
from services.chassis.projection import comparison
from services.contracts.catalog import TYPES, USER_EVENTS
from services.contracts.user import Fact, UserState
from services.user.domain import evolve
from services.user.store import users

FACTS = {name: struct for name, struct in TYPES.items() if name.startswith("user.") and struct in Fact.__args__}

rebuilt = Table(
    "rebuilt",
    MetaData(),  # in a temporary database, without the service's other tables
    Column("user_id", String(36), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("event_id", String(64), nullable=False),
    Column("digest", LargeBinary(32), nullable=False),
    Column("state", Text, nullable=False),
)


class GapError(Exception):
    """A version is missing before this one; the message names both."""


class Row(msgspec.Struct):
    """A user's folded state, and the last event applied to it."""

    applied: Applied
    state: UserState


class Fold:
    """Handler of the rebuild; see `chassis.consumer.subscription.Handler`. Raises GapError, which parks the user."""

    def __init__(self) -> None:
        self._decoder = Decoder(FACTS)

    def __call__(self, connection: Connection, records: Sequence[Record]) -> Outcome:
        """Fold a batch into the table."""
        decoded = self._decoder.decode(records)
        outcome = Outcome(refused=decoded.refused, not_subscribed=decoded.not_subscribed)
        rows = _read(connection, {event.envelope.subject for event in decoded.events})
        changed = {user for event in decoded.events if (user := self._fold(event, rows, outcome))}
        bulk.upsert(connection, rebuilt, [_row(user_id, rows[user_id]) for user_id in changed])
        return outcome

    def _fold(self, event: Event, rows: dict[str, Row], outcome: Outcome) -> str | None:
        user_id, row = event.envelope.subject, rows.get(event.envelope.subject)
        incoming = Applied(event.envelope.version, event.envelope.id, event.digest)
        verdict = contiguous(row.applied if row else None, incoming)
        if verdict is Verdict.GAP:
            have = row.applied.version if row else 0
            raise GapError(f"version {incoming.version} of user {user_id} follows {have}: {USER_EVENTS.name} has a gap")
        if verdict is Verdict.CONFLICT:
            outcome.refused.append(Refusal(event.record, "conflict", f"version {incoming.version} is published twice"))
        elif verdict is Verdict.REPEAT:
            outcome.repeats[event.record.topic] += 1
        else:
            rows[user_id] = Row(incoming, evolve(user_id, row.state if row else None, cast("Fact", event.data)))
            return user_id
        return None


def folded(connection: Connection) -> dict[str, UserState]:
    """Return each user's folded state."""
    return _states(connection, rebuilt)


def kept(connection: Connection) -> dict[str, UserState]:
    """Return each user's state in the service's table."""
    return _states(connection, users)


def differences(own: Mapping[str, UserState], other: Mapping[str, UserState]) -> list[str]:
    """Return a line for each user whose states differ, with the names of the fields, without personal data.

    Values are compared, not texts: a row written before a field was added has its default.
    """
    return [
        f"user {user_id}: the service has {summary(own.get(user_id))}, the log gives {summary(other.get(user_id))}"
        f"{_fields(own.get(user_id), other.get(user_id))}"
        for user_id in sorted(own.keys() | other.keys())
        if own.get(user_id) != other.get(user_id)
    ]


def _states(connection: Connection, table: Table) -> dict[str, UserState]:
    found = connection.execute(select(table.c.user_id, table.c.state))
    return {row.user_id: msgspec.json.decode(row.state, type=UserState) for row in found}


def summary(user: UserState | None) -> str:
    """Return a user's version and status, without personal data."""
    return "nothing" if user is None else f"version {user.version} ({user.status})"


def _fields(own: UserState | None, other: UserState | None) -> str:
    if own is None or other is None:
        return ""
    values = flat(other)
    return "; different: " + ", ".join(name for name, value in flat(own).items() if value != values[name])


def flat(user: UserState) -> dict[str, object]:
    """Return the values of a user by the path of their fields, such as `personal.email`."""
    return dict(comparison.flat(msgspec.to_builtins(user)))


def _read(connection: Connection, user_ids: set[str]) -> dict[str, Row]:
    found = connection.execute(select(rebuilt).where(bulk.one_of(rebuilt.c.user_id, "ids")), {"ids": user_ids})
    return {
        row.user_id: Row(Applied(row.version, row.event_id, row.digest), msgspec.json.decode(row.state, type=UserState))
        for row in found
    }


def _row(user_id: str, row: Row) -> tuple[object, ...]:
    state = msgspec.json.encode(row.state).decode()
    return (user_id, row.applied.version, row.applied.event_id, row.applied.digest, state)
