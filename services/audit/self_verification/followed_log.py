"""Verification of a log that grows, in steps, each of which reads one snapshot of the store."""

import time
from collections.abc import Iterable, Iterator
from contextlib import closing

from sqlalchemy import Connection

from services.audit import store
from services.audit.domain import Entry
from services.audit.tree import node_store
from services.audit.verification import Verification, compare_nodes

STEP_S = 0.05  # a snapshot is open for no longer, but for one entry: large values take their time


class FollowedLog:
    """The verification of a log up to its end, and on from there; what it knows is kept in memory between steps."""

    def __init__(self, verification: Verification, origin: str) -> None:
        self._verification = verification
        self._origin = origin

    @property
    def size(self) -> int:
        """The number of entries up to which the log is verified."""
        return self._verification.size

    def step(self, connection: Connection, limit: int) -> bool:
        """Check at most so many more entries. At the log's end compare it with chains and edge, and return True.

        Raises BadEntryError, and StoreError if the database has no such log.
        """
        size, start = store.read_size(connection, self._origin), self.size
        deadline = time.monotonic() + STEP_S
        with closing(store.read_entries(connection, start, limit)) as entries:
            self._verification.check(_until(deadline, entries))
        filled = self._verification.filled()
        compare_nodes(filled, node_store.read_nodes(connection, filled))
        found = self.size - start
        if found and (found == limit or time.monotonic() >= deadline):
            return False  # there may be more
        self._verification.compare(size, node_store.read_edge(connection), store.read_chains(connection))
        return True


def _until(deadline: float, entries: Iterable[Entry]) -> Iterator[Entry]:
    for entry in entries:
        yield entry
        if time.monotonic() >= deadline:
            return
