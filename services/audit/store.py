"""Tables and queries of the audit service: the log, its entries, their chains and their Merkle tree.

An entry's row has its bytes, and the row before it in the chain has the head that precedes it: so everything that is
published of the log is made from these rows.
"""

import hashlib
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import (
    URL,
    BigInteger,
    Column,
    Connection,
    Index,
    Integer,
    LargeBinary,
    Row,
    ScalarSelect,
    Select,
    SmallInteger,
    String,
    Table,
    UniqueConstraint,
    bindparam,
    case,
    func,
    select,
    update,
)
from sqlalchemy import tuple_ as row_of
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.base import ReadOnlyColumnCollection

from services.audit.chain_heads import Chains, Heads
from services.audit.domain import LONGEST_TEXT, NO_DIGEST, Chain, Entry, Found, LargeValue, Page, Query, new_chain
from services.chassis.database import bulk
from services.chassis.database.database import Database, after_commit, insert_or_ignore, metadata
from services.chassis.database.statements import Statement
from services.chassis.transparency import tree
from services.chassis.transparency.tree import Edge
from services.contracts.envelope import DEAD_LETTER_HEADERS, LARGEST_RECORD

Rows = Select[Any]
LOG_ID = 1  # of the only row of `log`
LARGEST_PAGE = 16 * 1024 * 1024  # bytes of values in one response: a record may have 1 MB
BLOBS = slice(Entry.__struct_fields__.index("leaf"), Entry.__struct_fields__.index("recorded_at"))
READ_ROWS = 100  # rows per fetch, so that the log is not read into memory at once
PAGE_ROWS = 16
# Compression lets a record exceed a topic's limit: a larger value is never held, it is read in pieces.
LARGEST_VALUE = LARGEST_RECORD + DEAD_LETTER_HEADERS
PIECE = 4 * 1024 * 1024
SHOWN_BYTES = 64 * 1024  # of a value that is not held

log = Table(
    "log",
    metadata,
    Column("id", SmallInteger, primary_key=True, autoincrement=False),
    Column("origin", String(256), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("edge", LargeBinary, nullable=False),  # the tree's edge, packed
)
chains = Table(
    "chains",
    metadata,
    Column("topic_id", String(22), primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("topic", String(249), nullable=False),
    Column("first_offset", BigInteger, nullable=False),
    Column("next_offset", BigInteger, nullable=False),
    Column("length", BigInteger, nullable=False),
    Column("head", LargeBinary(32), nullable=False),
)
entries = Table(
    "entries",
    metadata,
    # INTEGER makes it SQLite's rowid: one index less to write.
    Column("position", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("topic", String(249), nullable=False),
    Column("topic_id", String(22), nullable=False),
    Column("partition", Integer, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("ts_type", SmallInteger, nullable=False),
    Column("ts_ms", BigInteger, nullable=False),
    Column("flags", SmallInteger, nullable=False),
    # Before the columns that can be large: SQLite reads through the pages of those to reach what is behind them.
    Column("leaf", LargeBinary(32), nullable=False),
    Column("chain", LargeBinary(32), nullable=False),
    Column("key", LargeBinary),
    Column("value", LargeBinary),
    Column("headers", LargeBinary),
    Column("recorded_at", BigInteger, nullable=False),  # microseconds since 1970, like event_time
    Column("type", String(LONGEST_TEXT)),
    Column("subject", String(LONGEST_TEXT)),
    Column("correlation_id", String(LONGEST_TEXT)),
    Column("event_time", BigInteger),
    Column("actor", String(LONGEST_TEXT)),
    UniqueConstraint("topic_id", "partition", "offset"),
    # Each filter with the order of its pages.
    Index("entries_by_topic", "topic", "position"),
    Index("entries_by_subject", "subject", "position"),
    Index("entries_by_correlation", "correlation_id", "position"),
    Index("entries_by_time", "event_time", "position"),
)
ASKED_FOR = entries.c.actor.is_not(None)  # without authentication no record has an actor
Index("entries_by_actor", entries.c.actor, entries.c.position, postgresql_where=ASKED_FOR, sqlite_where=ASKED_FOR)

nodes = Table(
    "nodes",
    metadata,
    # Hash `index` of tile level `level` from 1 on: the root of the full tile `index` of the level below.
    Column("level", SmallInteger, primary_key=True, autoincrement=False),
    Column("index", BigInteger, primary_key=True, autoincrement=False),
    Column("hash", LargeBinary(32), nullable=False),
    sqlite_with_rowid=False,
)

LOCK = Statement(select(log.c.size, log.c.edge).with_for_update())
RESIZE = Statement(update(log).values(size=bindparam("size"), edge=bindparam("edge")))

_SIZE = func.length(entries.c.value)
HELD_VALUE = case((_SIZE <= LARGEST_VALUE, entries.c.value), else_=None).label("value")
COLUMNS = [*(HELD_VALUE if column.name == "value" else column for column in entries.c), _SIZE.label("value_size")]


class StoreError(Exception):
    """The database is not the store of this log; the message gives the reason."""


class Log:
    """The log, locked until the transaction's end, so that only one process appends at a time."""

    def __init__(self, connection: Connection, origin: str, heads: Heads) -> None:
        self._connection = connection
        self._origin = origin
        self._heads = heads
        self.size, packed = LOCK.row(connection)
        self._edge = Edge.unpacked(self.size, packed)
        self._chains = heads.take(self.size) or read_chains(connection)

    def chain(self, topic: str, topic_id: str, partition: int) -> Chain:
        """Return the chain of a partition, which the caller extends."""
        chain = self._chains.get((topic_id, partition))
        if chain is None:
            chain = self._chains[topic_id, partition] = new_chain(self._origin, topic, topic_id, partition)
        return chain

    def append(self, added: Sequence[Entry]) -> None:
        """Write entries, their chains and nodes of the tree, and the log's size."""
        bulk.insert(self._connection, entries, [_row(entry) for entry in added])
        touched = {(entry.topic_id, entry.partition) for entry in added}
        bulk.upsert(self._connection, chains, [msgspec.structs.astuple(self._chains[key]) for key in touched])
        self._edge, filled = tree.extend(self._edge, [entry.leaf for entry in added])
        bulk.insert(self._connection, nodes, [(*place, bulk.blob(node)) for *place, node in filled])
        self.size = self._edge.size
        RESIZE.execute(self._connection, size=self.size, edge=self._edge.packed())
        after_commit(self._connection, partial(self._heads.keep, self.size, self._chains))


@contextmanager
def existing(address: URL) -> Iterator[Connection]:
    """Yield a connection with a snapshot of an existing store. Raises StoreError."""
    if address.get_backend_name() == "sqlite" and not Path(address.database or "").is_file():
        raise StoreError(f"there is no file {address.database}")  # connecting would create it
    database = Database(address)
    try:
        with database.snapshot() as connection:
            yield connection
    except DBAPIError as error:
        raise StoreError(f"{address.render_as_string()} cannot be read as an audit store: {error.orig}") from error
    finally:
        database.close()


def open_log(connection: Connection, origin: str) -> None:
    """Make the log where there is none. Raises StoreError where there is another one."""
    connection.execute(insert_or_ignore(connection, log).values(id=LOG_ID, origin=origin, size=0, edge=b""))
    read_size(connection, origin)


def create_log(database: Database, origin: str) -> None:
    """Create the log in a transaction of its own. Raises StoreError as `open_log`."""
    with database.write() as connection:
        open_log(connection, origin)


def read_size(connection: Connection, origin: str) -> int:
    """Return the number of entries. Raises StoreError where the log has another origin."""
    row = connection.execute(select(log)).one_or_none()
    if row is None:
        raise StoreError("the database has the tables of an audit store, but no log")
    if row.origin != origin:
        raise StoreError(
            f"the store has the log {row.origin!r}, but APP_AUDIT_ORIGIN is {origin!r}: every chain starts from it, "
            "so it can never change; give the log's own origin, or another database"
        )
    return int(row.size)


def read_chains(connection: Connection) -> Chains:
    """Return all chains by topic id and partition."""
    columns = [chains.c[name] for name in Chain.__struct_fields__]
    return {(row.topic_id, row.partition): Chain(*row) for row in connection.execute(select(*columns))}


def read_entries(connection: Connection, start: int = 0, limit: int | None = None) -> Generator[Entry]:
    """Yield the entries from a position on, in the order of the log, some at a time; all without a limit."""
    query = select(*COLUMNS).order_by(entries.c.position).limit(limit)
    if start:  # from the beginning on, a negative position is read, and found, as well
        query = query.where(entries.c.position >= start)
    # An option of the statement: one of the connection would give every later statement a server-side cursor.
    with connection.execute(query.execution_options(yield_per=READ_ROWS)) as rows:
        for row in rows:
            yield entry_of(connection, row)


def entry_of(connection: Connection, row: Sequence[Any]) -> Entry:
    """Return the entry of a row of COLUMNS; a value that is too large to be held is read in pieces."""
    *columns, size = row
    entry = Entry(*columns)
    if size is not None and size > LARGEST_VALUE:
        entry.value = _large_value(connection, entry.position, size)
    return entry


def _large_value(connection: Connection, position: int, size: int) -> LargeValue:
    start, digest = b"", hashlib.sha256()
    for offset in range(1, size + 1, PIECE):
        query = select(func.substr(entries.c.value, offset, PIECE, type_=LargeBinary))
        piece = connection.execute(query.where(entries.c.position == position)).scalar_one()
        if isinstance(piece, str):  # a manual edit on SQLite, which verification reports: the digest is of no content
            return LargeValue(b"", size, NO_DIGEST)
        start = start or piece[:SHOWN_BYTES]
        digest.update(piece)
    return LargeValue(start, size, digest.digest())


def find(connection: Connection, query: Query, origin: str) -> Page:
    """Return a page of entries: at most `query.limit`, and fewer where their values are large."""
    found: list[Found] = []
    size = 0
    with connection.execute(_search(connection, query).execution_options(yield_per=PAGE_ROWS)) as rows:
        for row in rows:
            if len(found) == query.limit or size > LARGEST_PAGE:
                return Page(found, more=True)
            found.append(_found(connection, row, origin))
            value = found[-1].entry.value
            size += len(value.start if isinstance(value, LargeValue) else value or b"")
    return Page(found, more=False)


def head_before(place: ReadOnlyColumnCollection[str, Any]) -> ScalarSelect[Any]:
    """Return the head of a partition's chain before an offset; the columns are topic_id, partition and offset."""
    earlier = entries.alias()
    same = (earlier.c.topic_id == place.topic_id, earlier.c.partition == place.partition)
    query = select(earlier.c.chain).where(*same, earlier.c.offset < place.offset)
    return query.order_by(earlier.c.offset.desc()).limit(1).scalar_subquery()


def _row(entry: Entry) -> tuple[object, ...]:
    values = msgspec.structs.astuple(entry)
    return (*values[: BLOBS.start], *map(bulk.blob, values[BLOBS]), *values[BLOBS.stop :])


def _search(connection: Connection, query: Query) -> Rows:
    statement: Rows = select(*COLUMNS, head_before(entries.c))
    for column in (entries.c.topic, entries.c.subject, entries.c.correlation_id, entries.c.actor):
        if (wanted := getattr(query, column.name)) is not None:
            statement = statement.where(column == wanted)
    statement = _by_time(connection, statement, query) if query.by_time else _by_position(statement, query)
    return statement.limit(query.limit + 1)


def _by_position(statement: Rows, query: Query) -> Rows:
    return statement.where(entries.c.position > query.after).order_by(entries.c.position)


def _by_time(connection: Connection, statement: Rows, query: Query) -> Rows:
    time = entries.c.event_time
    if query.since is not None:
        statement = statement.where(time >= query.since)
    if query.until is not None:
        statement = statement.where(time < query.until)
    if query.after >= 0:
        last = connection.scalar(select(time).where(entries.c.position == query.after))
        statement = statement.where(row_of(time, entries.c.position) > row_of(last, query.after))
    return statement.where(time.is_not(None)).order_by(time, entries.c.position)


def _found(connection: Connection, row: Row[Any], origin: str) -> Found:
    *columns, chain_before = tuple(row)
    entry = entry_of(connection, columns)
    if chain_before is None:
        chain_before = new_chain(origin, entry.topic, entry.topic_id, entry.partition).head
    return Found(entry, chain_before)
