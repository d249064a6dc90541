"""The letters that are due, as the relay reads and marks them."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, select, update

from services.chassis.consumer.held import table
from services.chassis.consumer.held.record import Held
from services.chassis.consumer.held.table import held
from services.chassis.messages.clock import to_micros

CHUNK = 100  # letters that are published together


def due(connection: Connection) -> list[Held]:
    """Return the records whose letters are to be published next, the longest held first."""
    query = select(held).where(held.c.due).order_by(held.c.since, held.c.topic, held.c.partition, held.c.offset)
    return [table.from_row(row) for row in connection.execute(query.limit(CHUNK))]


def published(connection: Connection, letters: Sequence[Held], now: datetime) -> None:
    """Mark records whose letters the broker has acknowledged."""
    for one in letters:
        connection.execute(update(held).where(table.same(one)).values(due=False, published_at=to_micros(now)))


def refused(connection: Connection, one: Held) -> None:
    """Mark a record whose letter the broker refuses for good: it stays held, without a letter."""
    connection.execute(update(held).where(table.same(one)).values(due=False))
