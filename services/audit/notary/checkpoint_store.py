"""The table of checkpoints: a row for each signed size, with what witnesses added, and when it was published.

A row is committed before its note leaves the process, so that the same size never has two texts.
"""

from collections.abc import Generator
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import BigInteger, Column, Connection, LargeBinary, Select, Table, select, update

from services.chassis.database.database import insert_or_ignore, metadata
from services.chassis.messages.clock import to_micros

READ_ROWS = 100

checkpoints = Table(
    "checkpoints",
    metadata,
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("root", LargeBinary(32), nullable=False),
    Column("note", LargeBinary, nullable=False),
    Column("signed_at", BigInteger, nullable=False),  # microseconds since 1970, like published_at
    Column("cosigned", LargeBinary),
    Column("published_at", BigInteger),
)


class Stored(msgspec.Struct, frozen=True):
    """A row: the note with the log's signature, and the same with cosignatures once witnesses have given them."""

    size: int
    root: bytes
    note: bytes
    signed_at: int
    cosigned: bytes | None
    published_at: int | None

    @property
    def content(self) -> bytes:
        """The note to be published."""
        return self.note if self.cosigned is None else self.cosigned


class Published(NamedTuple):
    """The newest published checkpoint: the number of entries that it covers, and its note."""

    size: int
    note: bytes


def add(connection: Connection, size: int, root: bytes, note: bytes, now: datetime) -> None:
    """Insert the checkpoint of a size, unless it is there."""
    row = {"size": size, "root": root, "note": note, "signed_at": to_micros(now)}
    connection.execute(insert_or_ignore(connection, checkpoints).values(row))


def newest(connection: Connection) -> Stored | None:
    """Return the checkpoint of the largest size."""
    return _largest(connection, select(checkpoints))


def newest_published(connection: Connection) -> Published | None:
    """Return the published checkpoint of the largest size."""
    stored = _largest(connection, select(checkpoints).where(checkpoints.c.published_at.is_not(None)))
    return None if stored is None else Published(stored.size, stored.content)


def all_stored(connection: Connection) -> Generator[Stored]:
    """Yield all checkpoints, the smallest first, some at a time."""
    query = select(checkpoints).order_by(checkpoints.c.size)
    with connection.execute(query.execution_options(yield_per=READ_ROWS)) as rows:
        for row in rows:
            yield Stored(*row)


def replace_note(connection: Connection, size: int, note: bytes) -> None:
    """Replace a note whose text has been signed with another key, unless it may have left the process."""
    unused = checkpoints.c.cosigned.is_(None) & checkpoints.c.published_at.is_(None)
    connection.execute(update(checkpoints).where(checkpoints.c.size == size, unused).values(note=note))


def keep_cosigned(connection: Connection, size: int, note: bytes) -> None:
    """Add the note with cosignatures, unless another replica has added its own. It is to be published."""
    waits = (checkpoints.c.size == size) & checkpoints.c.cosigned.is_(None)
    connection.execute(update(checkpoints).where(waits).values(cosigned=note, published_at=None))


def mark_published(connection: Connection, size: int, now: datetime) -> None:
    """Set the time of publication, once."""
    waits = (checkpoints.c.size == size) & checkpoints.c.published_at.is_(None)
    connection.execute(update(checkpoints).where(waits).values(published_at=to_micros(now)))


def _largest(connection: Connection, among: Select[Any]) -> Stored | None:
    row = connection.execute(among.order_by(checkpoints.c.size.desc()).limit(1)).one_or_none()
    return None if row is None else Stored(*row)
