"""The past of one user, read from the event store: as of a moment, one version, or all versions in pages."""

from datetime import datetime

import msgspec
from sqlalchemy import BigInteger, Connection, Integer, bindparam, func, select

from services.chassis.database.database import Database
from services.chassis.database.statements import Statement
from services.chassis.messages.clock import Clock, from_micros, to_micros, zoned
from services.chassis.outbox.event_store import METADATA, events
from services.contracts.envelope import to_text
from services.contracts.user import UserState
from services.user.domain import Because, RefusedError
from services.user.store import STATE

OF_USER = events.c.subject == bindparam("user_id")
SPAN = Statement(select(func.min(events.c.time), func.max(events.c.time), func.max(events.c.version)).where(OF_USER))
LATER = Statement(
    select(func.min(events.c.version)).where(OF_USER, events.c.time > bindparam("moment", type_=BigInteger))
)
VERSIONS = Statement(
    select(events.c.event_id, events.c.type, events.c.time, events.c.metadata, events.c.state)
    .where(OF_USER, events.c.version > bindparam("after", type_=Integer))
    .order_by(events.c.version)
    .limit(bindparam("number", type_=Integer))
)


class UserVersion(msgspec.Struct, frozen=True):
    """A user after an event, with the event's id, type, time and correlation id."""

    event_id: str
    type: str
    time: datetime
    correlation_id: str
    user: UserState


class History:
    """Queries of users' pasts. Each returns None for a user who does not exist."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def as_of(self, user_id: str, text: str) -> UserState | None:
        """Return a user at a moment, given as RFC 3339: its state before its first event that is later.

        Raises RefusedError with the allowed range for a moment outside it, and for a text that is no moment.
        """
        with self._database.read() as connection:
            first, last, newest = SPAN.row(connection, user_id=user_id)
            if first is None:
                return None
            # The replica that dated the last event may have a clock ahead of this one's.
            moment = _moment(text, first, max(last, to_micros(self._clock())))
            (later,) = LATER.row(connection, user_id=user_id, moment=moment)
            return _versions(connection, user_id, (later or newest + 1) - 2, 1)[0].user

    def version(self, user_id: str, version: int) -> UserState | None:
        """Return a version of a user. Raises RefusedError with the allowed range for one that does not exist yet."""
        with self._database.read() as connection:
            for found in _versions(connection, user_id, version - 1, 1):
                return found.user
            _, _, newest = SPAN.row(connection, user_id=user_id)
        if newest is None:
            return None
        raise RefusedError(Because.INVALID, f"user {user_id} has no version {version}: send one from 1 to {newest}")

    def page(self, user_id: str, after: int, limit: int) -> list[UserVersion] | None:
        """Return up to `limit` versions that follow the version `after`, in order."""
        with self._database.read() as connection:
            found = _versions(connection, user_id, after, limit)
            exists = found or SPAN.row(connection, user_id=user_id) != (None, None, None)
            return found if exists else None


def _versions(connection: Connection, user_id: str, after: int, limit: int) -> list[UserVersion]:
    found = VERSIONS.rows(connection, user_id=user_id, after=after, number=limit)
    return [
        UserVersion(event_id, kind, from_micros(time), METADATA.decode(origin).correlation_id, STATE.decode(state))
        for event_id, kind, time, origin, state in found
    ]


def _moment(text: str, first: int, last: int) -> int:
    """Return microseconds since 1970. Raises RefusedError outside the range from `first` to `last`."""
    try:
        return _within(to_micros(zoned(text)), first, last)
    except ValueError as error:
        allowed = f"send a time with its zone from {_text(first)} to {_text(last)}; in a URL write + as %2B"
        raise RefusedError(Because.INVALID, f"as_of {text[:100]!r} {error}: {allowed}") from None


def _within(moment: int, first: int, last: int) -> int:
    if moment < first:
        raise ValueError("is before the user's first event")
    if moment > last:
        raise ValueError("is in the future")
    return moment


def _text(micros: int) -> str:
    return to_text(from_micros(micros))
