"""The metrics of checkpoints, read from the database, so that they are right without a key and while none is made."""

from datetime import datetime

from sqlalchemy import Connection, select

from services.audit.notary import checkpoint_store
from services.audit.store import entries, log
from services.chassis.messages.clock import Clock, from_micros, seconds_since


def progress(connection: Connection, clock: Clock, *, witnessed: bool) -> list[float]:
    """Return the readings of `metrics.CHECKPOINTS`.

    Entries covered, entries not covered, the age of the first of these, and the time of waiting for witnesses.
    """
    published = checkpoint_store.newest_published(connection)
    covered = 0 if published is None else published.size
    size = connection.scalar(select(log.c.size)) or 0
    first = connection.scalar(select(entries.c.recorded_at).where(entries.c.position == covered))
    stored = checkpoint_store.newest(connection) if witnessed else None
    waiting_since = stored.signed_at if stored and stored.cosigned is None else None
    return [covered, size - covered, _age(first, clock()), _age(waiting_since, clock())]


def _age(since: int | None, now: datetime) -> float:
    return 0.0 if since is None else seconds_since(from_micros(since), now)
