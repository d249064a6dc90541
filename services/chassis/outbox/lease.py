"""The lease of the relay: one row with the cursor, holder, expiry, and an epoch that each take-over raises.

SKIP LOCKED would reorder events; connection poolers break session locks. Expiry is measured by the database's clock.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from math import inf

import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Integer,
    SmallInteger,
    String,
    Table,
    Text,
    bindparam,
    exists,
    select,
    update,
)

from services.chassis.database.database import Database, metadata, now_ms
from services.chassis.messages.clock import from_micros, to_micros

relay = Table(
    "relay",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("cursor", BigInteger, nullable=False),  # every event up to this sequence number is published or stopped
    Column("epoch", Integer, nullable=False),
    Column("holder", String(64)),
    Column("expires_at", BigInteger, nullable=False),  # milliseconds since 1970 by the database's clock
    # Requests of operators. A program of an older version ignores them.
    Column("paused_at", BigInteger),  # microseconds since 1970
    Column("paused_by", Text),
    Column("pause_reason", Text),
)

LOOK_S = 1.0  # a relay that leads extends its lease every few seconds
HELD = update(relay).where(relay.c.epoch == bindparam("held"))
NOT_PAUSED = ~exists().where(relay.c.paused_at.is_not(None))


class Pause(msgspec.Struct, frozen=True):
    """A pause of the relay: since when, by whom and why. It is in the relay's row, so it survives hand-overs."""

    since: datetime
    by: str
    reason: str


class LeaseLostError(Exception):
    """Another relay has taken over: stop publishing."""


class LeaseHeldError(Exception):
    """Another instance has the lease and extends it; the message has the next step."""


class Lease(msgspec.Struct, frozen=True):
    """The right to publish the events after `cursor`, as `epoch`."""

    epoch: int
    cursor: int


class Leases:
    """Takes, renews and releases the lease of one event store."""

    def __init__(self, database: Database, holder: str, duration: timedelta) -> None:
        self._database = database
        self._holder = holder
        self._duration_ms = int(duration.total_seconds() * 1000)

    def take(self) -> Lease | float:
        """Return the lease, or the seconds until its holder's expires."""
        with self._database.write() as connection:
            row = connection.execute(select(relay).with_for_update()).one()
            now = now_ms(connection)
            # An end much further ahead than a lease lasts was written by a clock that was wrong: nobody holds that.
            # Twice the duration, because clocks are also set back a little while a lease is held.
            if row.holder is not None and now < row.expires_at <= now + 2 * self._duration_ms:
                return float(row.expires_at - now) / 1000
            taken = {"holder": self._holder, "epoch": row.epoch + 1, "expires_at": now + self._duration_ms}
            connection.execute(update(relay).values(taken))
            return Lease(row.epoch + 1, row.cursor)

    def renew(self, lease: Lease) -> None:
        """Extend the lease to its full duration from now. Raises LeaseLostError."""
        with self._database.write() as connection:
            self._set(connection, lease, expires_at=now_ms(connection) + self._duration_ms)

    def advance(self, lease: Lease, cursor: int) -> None:
        """Move the cursor; every record up to it must be acknowledged. Raises LeaseLostError."""
        with self.writing(lease, cursor=cursor):
            pass

    @contextmanager
    def writing(self, lease: Lease, **values: int) -> Iterator[Connection]:
        """Yield a connection in a transaction that only the lease's holder can commit. Raises LeaseLostError."""
        with self._database.write() as connection:
            self._set(connection, lease, epoch=lease.epoch, **values)
            yield connection

    def give_back(self, lease: Lease) -> None:
        """Release the lease, so that another relay need not wait for its expiry. Raises LeaseLostError."""
        with self._database.write() as connection:
            self._set(connection, lease, holder=None, expires_at=0)

    def cursor(self) -> int:
        """Return the sequence number up to which every event is published."""
        with self._database.read() as connection:
            return published(connection)

    def _set(self, connection: Connection, lease: Lease, **values: object) -> None:
        moved = connection.execute(HELD, {"held": lease.epoch, **values})
        if moved.rowcount != 1:
            raise LeaseLostError(f"epoch {lease.epoch} has been followed by another")


def published(connection: Connection) -> int:
    """Return the sequence number up to which every event is published."""
    return int(connection.execute(select(relay.c.cursor)).scalar_one())


@contextmanager
def exclusive(leases: Leases, wait: Callable[[float], object]) -> Iterator[Lease]:
    """Hold the lease during the block, which extends it. One that nobody extends, as after a kill, is waited for.

    Raises LeaseHeldError, and LeaseLostError if it was not extended in time.
    """
    left = inf
    while not isinstance(taken := leases.take(), Lease):
        if taken > left:
            raise LeaseHeldError(
                "another instance of the service has the lease of the relay and extends it: stop every instance, and "
                "repeat the command"
            )
        left = taken
        wait(min(taken, LOOK_S))
    try:
        yield taken
    finally:
        leases.give_back(taken)


def paused(connection: Connection) -> Pause | None:
    """Return the pause of the relay, if there is one."""
    row = connection.execute(select(relay.c.paused_at, relay.c.paused_by, relay.c.pause_reason)).one()
    return None if row.paused_at is None else Pause(from_micros(row.paused_at), row.paused_by, row.pause_reason)


def pause(connection: Connection, new: Pause) -> bool:
    """Pause the relay: it finishes the chunk under way. False if it is paused already; that pause stays."""
    values = {"paused_at": to_micros(new.since), "paused_by": new.by, "pause_reason": new.reason}
    return bool(connection.execute(update(relay).where(relay.c.paused_at.is_(None)).values(values)).rowcount)


def resume(connection: Connection) -> bool:
    """End the pause. False if there is none."""
    values = {"paused_at": None, "paused_by": None, "pause_reason": None}
    return bool(connection.execute(update(relay).where(relay.c.paused_at.is_not(None)).values(values)).rowcount)


def rewind(connection: Connection, first: int) -> int:
    """Let the events from a sequence number on be published again. Returns up to which one they were published.

    The relay that leads loses its lease at its next write. The lease still lasts to its end, so that nobody publishes
    while records of that relay may be under way.
    """
    last = int(connection.execute(select(relay.c.cursor).with_for_update()).scalar_one())
    if not 1 <= first <= last:
        raise ValueError(f"event {first} is none of the {last:,} that are published")
    connection.execute(update(relay).values(cursor=first - 1, epoch=relay.c.epoch + 1))
    return last
