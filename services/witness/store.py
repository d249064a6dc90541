"""The table of the witness: a row for each log, changed only from the size and root that were read."""

from collections.abc import Mapping
from typing import NamedTuple

from sqlalchemy import BigInteger, Column, Connection, LargeBinary, String, Table, Text, select, update

from services.chassis.database.database import insert_or_ignore, metadata
from services.chassis.transparency.checkpoint import Checkpoint
from services.chassis.transparency.tree import EMPTY_ROOT
from services.witness.domain import Cosigned, StaleError

logs = Table(
    "logs",
    metadata,
    Column("origin", String(255), primary_key=True),
    Column("vkey", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("root", LargeBinary(32), nullable=False),
    Column("note", LargeBinary),
)


def add_logs(connection: Connection, vkeys: Mapping[str, str]) -> None:
    """Insert the logs, by origin, that have no row yet: of size 0. Rows that exist stay as they are."""
    for origin, vkey in vkeys.items():
        row = {"origin": origin, "vkey": vkey, "size": 0, "root": EMPTY_ROOT, "note": None}
        connection.execute(insert_or_ignore(connection, logs).values(row))


def locked(connection: Connection, origin: str) -> Cosigned:
    """Return the newest cosigned size and root of a log, and lock its row until the end of the transaction."""
    query = select(logs.c.size, logs.c.root).where(logs.c.origin == origin).with_for_update()
    return Cosigned(*connection.execute(query).one())


class Next(NamedTuple):
    """A checkpoint that is cosigned: the key of the log that has signed it, and the note with both signatures."""

    checkpoint: Checkpoint
    vkey: str
    note: bytes


def advance(connection: Connection, cosigned: Cosigned, following: Next) -> None:
    """Hold a log to its next checkpoint. Raises StaleError if another was cosigned since `cosigned` was read."""
    checkpoint = following.checkpoint
    unchanged = (logs.c.origin == checkpoint.origin, logs.c.size == cosigned.size, logs.c.root == cosigned.root)
    new = {"vkey": following.vkey, "size": checkpoint.size, "root": checkpoint.root, "note": following.note}
    if connection.execute(update(logs).where(*unchanged).values(new)).rowcount != 1:
        raise StaleError(locked(connection, checkpoint.origin).size)


def newest(connection: Connection, origin: str) -> bytes | None:
    """Return the newest checkpoint that has been cosigned for a log, with its signatures; None before the first."""
    found: bytes | None = connection.scalar(select(logs.c.note).where(logs.c.origin == origin))
    return found


def sizes(connection: Connection) -> dict[str, int]:
    """Return the size of each log's newest cosigned checkpoint by origin, 0 before the first."""
    return {row.origin: row.size for row in connection.execute(select(logs.c.origin, logs.c.size))}
