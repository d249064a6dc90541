"""The metrics of checkpoints, read from the database, so that they are right without a key and while none is made."""

from datetime import datetime

from sqlalchemy import Connection, select

from services.audit.notary import checkpoint_store
from services.audit.store import entries, log
from services.chassis.messages.clock import Clock, from_micros, seconds_since


def progress(connection: Connection, clock: Clock) -> list[float]:
    """Return the readings of `metrics.CHECKPOINTS`: entries covered, not covered, and the age of the first of these."""
    published = checkpoint_store.newest_published(connection)
    covered = 0 if published is None else published.size
    size = connection.scalar(select(log.c.size)) or 0
    first = connection.scalar(select(entries.c.recorded_at).where(entries.c.position == covered))
    return [covered, size - covered, _age(first, clock())]


def _age(recorded_at: int | None, now: datetime) -> float:
    return 0.0 if recorded_at is None else seconds_since(from_micros(recorded_at), now)
