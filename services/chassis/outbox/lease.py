"""Who may publish: one row with the cursor, a lease on it, and a fencing epoch that rises with every take-over.

Not SKIP LOCKED, which reorders, and no session lock, which poolers break. The lease's clock is the database's.
"""

from datetime import timedelta

import msgspec
from sqlalchemy import BigInteger, Column, Connection, Integer, SmallInteger, String, Table, select, update

from services.chassis.database.database import Database, metadata, now_ms

relay = Table(
    "relay",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("cursor", BigInteger, nullable=False),  # every event up to this sequence number is on the log
    Column("epoch", Integer, nullable=False),
    Column("holder", String(64)),
    Column("expires_at", BigInteger, nullable=False),  # milliseconds since 1970 by the database's clock
)


class LeaseLostError(Exception):
    """Another relay has taken over; this one must stop publishing."""


class Lease(msgspec.Struct, frozen=True):
    """A lease that was taken: the right to publish from `cursor` on, as `epoch`."""

    epoch: int
    cursor: int


class Leases:
    """Takes, keeps and gives back the lease of one event store."""

    def __init__(self, database: Database, holder: str, duration: timedelta) -> None:
        self._database = database
        self._holder = holder
        self._duration_ms = int(duration.total_seconds() * 1000)

    def take(self) -> Lease | float:
        """Return the lease, or the seconds until it may be free."""
        with self._database.write() as connection:
            row = connection.execute(select(relay).with_for_update()).one()
            now = now_ms(connection)
            if row.holder is not None and row.expires_at > now:
                return float(row.expires_at - now) / 1000
            taken = {"holder": self._holder, "epoch": row.epoch + 1, "expires_at": now + self._duration_ms}
            connection.execute(update(relay).values(taken))
            return Lease(row.epoch + 1, row.cursor)

    def renew(self, lease: Lease) -> None:
        """Keep the lease for its full duration from now. Raises LeaseLostError."""
        with self._database.write() as connection:
            self._set(connection, lease, expires_at=now_ms(connection) + self._duration_ms)

    def advance(self, lease: Lease, cursor: int) -> None:
        """Move the cursor after the broker's word on every record up to it. Raises LeaseLostError."""
        with self._database.write() as connection:
            self._set(connection, lease, cursor=cursor)

    def give_back(self, lease: Lease) -> None:
        """End the lease now, so that another relay need not wait for its end. Raises LeaseLostError."""
        with self._database.write() as connection:
            self._set(connection, lease, holder=None, expires_at=0)

    def cursor(self) -> int:
        """Return the sequence number up to which every event is on the log."""
        with self._database.read() as connection:
            return int(connection.execute(select(relay.c.cursor)).scalar_one())

    def _set(self, connection: Connection, lease: Lease, **values: object) -> None:
        moved = connection.execute(update(relay).where(relay.c.epoch == lease.epoch).values(**values))
        if moved.rowcount != 1:
            raise LeaseLostError(f"epoch {lease.epoch} has been followed by another")
