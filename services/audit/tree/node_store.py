"""Queries of the log's Merkle tree: edge in the row of the log, leaves in the entries, roots of full tiles as nodes."""

from collections.abc import Iterable, Sequence
from functools import partial
from itertools import groupby

from sqlalchemy import Connection, func, select

from services.audit.store import StoreError, entries, log, nodes
from services.chassis.transparency.tree import Edge, HashReader, Node


def read_edge(connection: Connection) -> bytes:
    """Return the edge of the log's tree as it is stored, packed."""
    return bytes(connection.execute(select(log.c.edge)).scalar_one())


def edge_of(connection: Connection) -> Edge:
    """Return the edge of the log's tree. Raises StoreError if what is stored is none."""
    size, packed = connection.execute(select(log.c.size, log.c.edge)).one()
    try:
        return Edge.unpacked(size, packed)
    except ValueError as error:
        raise StoreError(f"the tree of the log has been changed: {error}") from error


def reader(connection: Connection) -> HashReader:
    """Return a reader of the stored hashes; see `chassis.transparency.tree.HashReader`."""
    return partial(_hashes, connection)


def read_nodes(connection: Connection, like: Iterable[Node]) -> list[Node | None]:
    """Return the stored nodes at the places of others, which have all of a level in a row; None for a missing one."""
    stored: list[Node | None] = []
    for level, of_level in groupby(sorted(like), key=lambda node: node.level):
        places = [node.index for node in of_level]
        hashes = dict(_indexed(connection, level, places[0], places[-1]))
        stored += [Node(level, place, hashes[place]) if place in hashes else None for place in places]
    return stored


def count_nodes(connection: Connection) -> int:
    """Return the number of stored nodes."""
    return connection.execute(select(func.count()).select_from(nodes)).scalar_one()


def _hashes(connection: Connection, level: int, first: int, count: int) -> Sequence[bytes]:
    if level == 0:
        place = entries.c.position
        query = select(entries.c.leaf)
    else:
        place = nodes.c["index"]
        query = select(nodes.c.hash).where(nodes.c.level == level)
    rows = connection.execute(query.where(place >= first, place < first + count).order_by(place))
    return list(rows.scalars())


def _indexed(connection: Connection, level: int, first: int, last: int) -> Iterable[tuple[int, bytes]]:
    place = nodes.c["index"]
    query = select(place, nodes.c.hash).where(nodes.c.level == level, place >= first, place <= last)
    return ((index, hashed) for index, hashed in connection.execute(query))
