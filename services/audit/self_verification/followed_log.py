"""Verification of a log that grows, in steps, each of which reads one snapshot of the store."""

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from typing import NamedTuple

from msgspec.structs import replace
from sqlalchemy import Connection

from services.audit import store
from services.audit.domain import Chain, Entry
from services.audit.store import StoreError
from services.audit.tree import node_store
from services.audit.verification import EMPTY, UNREADABLE, BadEntryError, Key, Verification, compare_nodes
from services.chassis.transparency.tree import Edge

STEP_S = 0.05  # a snapshot is open for no longer, but for one entry: large values take their time


class Step(NamedTuple):
    """The number of entries that a step has verified, and whether the log is whole up to its end."""

    entries: int
    ended: bool


class FollowedLog:
    """The verification of a log from some entry on, up to its end. Its state is kept in memory between steps.

    `found` is the change that the last verification found, None while none is known. It begins again where it was
    last known to be whole.
    """

    def __init__(self, origin: str, edge: Edge = EMPTY, chains: Mapping[Key, Chain] = {}) -> None:
        self._origin = origin
        self.found: str | None = None
        self._whole = edge, _copy(chains)
        self._begin()

    @property
    def size(self) -> int:
        """The number of entries up to which the log is verified."""
        return self._verification.size

    def step(self, connection: Connection, limit: int) -> Step:
        """Check at most so many more entries, and at the log's end compare it with the stored chains and edge."""
        start = self.size
        try:
            ended = self._check(connection, limit)
        except (BadEntryError, StoreError, *UNREADABLE) as error:
            self.found = str(error)
            self._begin()
            return Step(0, ended=False)
        if ended:
            self.found = None
        return Step(self.size - start, ended)

    def keep(self) -> None:
        """Begin here from now on: the log is whole up to here. Chains and tree are held to what they are now."""
        self._whole = self._verification.edge, _copy(self._verification.chains)

    def _begin(self) -> None:
        edge, chains = self._whole
        self._verification = Verification(self._origin, edge, _copy(chains))

    def _check(self, connection: Connection, limit: int) -> bool:
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


def _copy(chains: Mapping[Key, Chain]) -> dict[Key, Chain]:
    return {key: replace(chain) for key, chain in chains.items()}
