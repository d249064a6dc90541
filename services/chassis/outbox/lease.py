"""The lease of the relay: one row with the cursor, holder, expiry, and an epoch that each take-over raises.

SKIP LOCKED would reorder events; connection poolers break session locks. Expiry is measured by the database's clock.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import msgspec
from sqlalchemy import BigInteger, Column, Connection, Integer, SmallInteger, String, Table, Text, select, update

from services.chassis.database.database import Database, metadata, now_ms

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
    Column("republish_next", BigInteger),  # the first sequence number that is still to be published again
    Column("republish_to", BigInteger),
)


class LeaseLostError(Exception):
    """Another relay has taken over: stop publishing."""


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
            return int(connection.execute(select(relay.c.cursor)).scalar_one())

    def _set(self, connection: Connection, lease: Lease, **values: object) -> None:
        moved = connection.execute(update(relay).where(relay.c.epoch == lease.epoch).values(**values))
        if moved.rowcount != 1:
            raise LeaseLostError(f"epoch {lease.epoch} has been followed by another")
