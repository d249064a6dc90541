"""The published part of the log: tiles and entry bundles that the newest published checkpoint covers.

They are made from the rows of the log, so that a row that was changed cannot hide behind a copy.
"""

from collections.abc import Iterator

from sqlalchemy import Connection, func, select

from services.audit.domain import encode, new_chain
from services.audit.notary.checkpoint_store import newest_published
from services.audit.store import COLUMNS, entries, entry_of, head_before
from services.audit.tree import node_store
from services.chassis.transparency import tiles
from services.chassis.transparency.tiles import TilePath

ROWS = 16  # held at once: a value may have 1 MB
Heads = dict[tuple[str, int], bytes]


def checkpoint(connection: Connection) -> bytes | None:
    """Return the newest published checkpoint, None before the first one."""
    newest = newest_published(connection)
    return None if newest is None else newest.note


def resource(connection: Connection, path: TilePath, origin: str) -> bytes | None:
    """Return a tile or a bundle, None if no published checkpoint covers it."""
    newest = newest_published(connection)
    if newest is None or not path.is_within(newest.size):
        return None
    if path.level is None:
        return tiles.bundle(encoded(connection, path.first, path.width, origin))
    return b"".join(node_store.reader(connection)(path.level, path.first, path.width))


def encoded(connection: Connection, first: int, count: int, origin: str) -> Iterator[bytes]:
    """Yield the bytes of entries from a position on, as the tree covers them."""
    heads = _heads_before(connection, first, count)
    query = select(*COLUMNS).where(entries.c.position >= first, entries.c.position < first + count)
    ordered = query.order_by(entries.c.position).execution_options(yield_per=ROWS)
    with connection.execute(ordered) as rows:
        for row in rows:
            entry = entry_of(connection, row)
            key = entry.topic_id, entry.partition
            before = heads.get(key) or new_chain(origin, entry.topic, *key).head
            heads[key] = entry.chain
            yield encode(entry, before)


def _heads_before(connection: Connection, first: int, count: int) -> Heads:
    # One query for all partitions: one for each takes PostgreSQL three times as long.
    place = (entries.c.topic_id, entries.c.partition)
    within = (entries.c.position >= first) & (entries.c.position < first + count)
    starts = select(*place, func.min(entries.c.offset).label("offset")).where(within).group_by(*place).subquery()
    found = connection.execute(select(starts.c.topic_id, starts.c.partition, head_before(starts.c)))
    return {(topic_id, partition): chain for topic_id, partition, chain in found if chain is not None}
