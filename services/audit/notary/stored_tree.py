"""The stored tree of the log: its edge in the row of the log, leaves in the entries, roots of full tiles as nodes."""

from collections.abc import Sequence
from functools import partial

from sqlalchemy import Connection, select

from services.audit.store import entries, log, nodes
from services.chassis.transparency.tree import Edge, HashReader


def edge(connection: Connection) -> Edge:
    """Return the committed size with the edge."""
    return Edge.unpacked(*connection.execute(select(log.c.size, log.c.edge)).one())


def reader(connection: Connection) -> HashReader:
    """Return a reader of the stored hashes; see `chassis.transparency.tree.HashReader`."""
    return partial(_hashes, connection)


def _hashes(connection: Connection, level: int, first: int, count: int) -> Sequence[bytes]:
    if level == 0:
        place = entries.c.position
        query = select(entries.c.leaf)
    else:
        place = nodes.c.index
        query = select(nodes.c.hash).where(nodes.c.level == level)
    rows = connection.execute(query.where(place >= first, place < first + count).order_by(place))
    return list(rows.scalars())
