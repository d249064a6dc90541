"""The Merkle tree: the leaf of each entry, the nodes above full tiles, and the edge from which the tree grows.

The entries that are there are hashed once more. On SQLite the columns of hashes move before those that can be large: it
reads through the pages of a large value to reach what is behind it.
"""

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
import structlog
from alembic import op

from services.audit import store
from services.audit.domain import leaf, new_chain
from services.chassis.database import bulk
from services.chassis.transparency.tree import Edge, extend

revision = "0003"
down_revision = "0002"

BATCH = 8192
LINE_EVERY = 64  # batches
INDEXES = {"topic": "topic", "subject": "subject", "correlation": "correlation_id", "time": "event_time"}

log = structlog.get_logger()


def upgrade() -> None:
    """Add the tree and make it from the entries."""
    connection = op.get_bind()
    op.create_table(
        "nodes",
        sa.Column("level", sa.SmallInteger(), primary_key=True, autoincrement=False),
        sa.Column("index", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("hash", sa.LargeBinary(32), nullable=False),
        sqlite_with_rowid=False,
    )
    op.add_column("log", sa.Column("edge", sa.LargeBinary(), nullable=False, server_default=sa.text("''")))
    leaves = op.create_table(
        "leaves",
        sa.Column("position", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("leaf", sa.LargeBinary(32), nullable=False),
    )
    _fill(connection, leaves)
    if connection.dialect.name == "sqlite":
        _rebuild_entries()
    else:
        op.add_column("entries", sa.Column("leaf", sa.LargeBinary(32)))
        op.execute("UPDATE entries SET leaf = leaves.leaf FROM leaves WHERE leaves.position = entries.position")
        op.alter_column("entries", "leaf", nullable=False)
    op.drop_table("leaves")
    with op.batch_alter_table("log") as table:  # SQLite makes the table again
        table.alter_column("edge", server_default=None)


def _fill(connection: sa.Connection, leaves: sa.Table) -> None:
    origin = connection.scalar(sa.text("SELECT origin FROM log"))
    edge = Edge()
    for number, batch in enumerate(_batches(connection, origin)):
        if batch and number % LINE_EVERY == 0:
            log.info("hashing the entries of the audit log for its Merkle tree", entries=edge.size)
        bulk.insert(connection, leaves, [(position, bulk.blob(hashed)) for position, hashed in batch])
        edge, nodes = extend(edge, [hashed for _, hashed in batch])
        bulk.insert(connection, store.nodes, [(*place, bulk.blob(node)) for *place, node in nodes])
    connection.execute(sa.update(store.log).values(edge=edge.packed()))


def _batches(connection: sa.Connection, origin: str) -> Iterator[list[tuple[int, bytes]]]:
    heads: dict[tuple[str, int], bytes] = {}
    columns = [_absent(one.name) if one.name in {"leaf", "actor"} else one for one in store.COLUMNS]
    after, batch = -1, [(-1, b"")]
    while batch:
        page = sa.select(*columns).where(store.entries.c.position > after).order_by(store.entries.c.position)
        batch = []
        # An option of the statement: one of the connection would make a server-side cursor of every later statement.
        with connection.execute(page.limit(BATCH).execution_options(yield_per=store.READ_ROWS)) as rows:
            for row in rows:
                entry = store.entry_of(connection, row)
                key = entry.topic_id, entry.partition
                before = heads.get(key) or new_chain(origin, entry.topic, *key).head
                heads[key] = entry.chain
                after = entry.position
                batch.append((after, leaf(entry, before)))
        yield batch


def _absent(name: str) -> sa.ColumnElement[Any]:
    """Return a column that the schema has from this revision on, or from a later one."""
    return sa.literal(b"" if name == "leaf" else None, sa.LargeBinary).label(name)


def _rebuild_entries() -> None:
    op.create_table("ordered", *_columns(), sa.UniqueConstraint("topic_id", "partition", "offset"))
    names = [column.name for column in _columns()]
    into = ", ".join(f'"{name}"' for name in names)
    values = ", ".join(f'{"leaves" if name == "leaf" else "entries"}."{name}"' for name in names)
    op.execute(f"INSERT INTO ordered ({into}) SELECT {values} FROM entries JOIN leaves USING (position)")  # noqa: S608
    op.drop_table("entries")
    op.rename_table("ordered", "entries")
    for name, column in INDEXES.items():
        op.create_index(f"entries_by_{name}", "entries", [column, "position"])


def _columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("position", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("topic", sa.String(249), nullable=False),
        sa.Column("topic_id", sa.String(22), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.Column("ts_type", sa.SmallInteger(), nullable=False),
        sa.Column("ts_ms", sa.BigInteger(), nullable=False),
        sa.Column("flags", sa.SmallInteger(), nullable=False),
        sa.Column("leaf", sa.LargeBinary(32), nullable=False),
        sa.Column("chain", sa.LargeBinary(32), nullable=False),
        sa.Column("key", sa.LargeBinary()),
        sa.Column("value", sa.LargeBinary()),
        sa.Column("headers", sa.LargeBinary()),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.Column("type", sa.String(256)),
        sa.Column("subject", sa.String(256)),
        sa.Column("correlation_id", sa.String(256)),
        sa.Column("event_time", sa.BigInteger()),
    ]
