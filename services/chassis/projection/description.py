"""The description of a projection as data, and the interface of the source that it is folded from."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import msgspec
from sqlalchemy import ColumnElement, Connection, Table

BATCH = 250  # events in one transaction: on SQLite the service's own writers wait for it


class RebuildError(Exception):
    """The projection cannot be rebuilt or swapped now; the message gives the reason and the next step."""


class Source(Protocol):
    """Folds the log into the second set of tables, in order, and never further than the live tables are.

    A position is what the live tables have applied, such as the next offset of each partition.
    """

    def lock(self, connection: Connection) -> None:
        """Lock what the writers of the live tables lock before these tables, until the transaction ends."""

    def position(self, connection: Connection) -> Any:  # noqa: ANN401  # of the source's own type
        """Return the position of the live tables."""

    def remaining(self, to: Any) -> int:  # noqa: ANN401
        """Return how many events below a position are not applied yet; offsets that no record has are counted."""

    def fetch(self, to: Any, wait_s: float) -> bool:  # noqa: ANN401
        """Receive more, waiting only for the first; return whether all below a position are here.

        Raises RebuildError, ConnectionError.
        """

    def apply(self, connection: Connection, to: Any) -> int:  # noqa: ANN401
        """Apply up to BATCH received events below a position; return how many were."""

    def notes(self) -> Iterator[str]:
        """Yield a line about each kind of record that could not be applied."""


class Projection(msgspec.Struct, frozen=True):
    """A projection. `open_source` takes the second set of tables, in the order of `tables`.

    `shown` has the columns of each table that identify a row to an operator, without personal data. `decoded` has, by
    column, what makes a comparable value of it. `carried` is the condition of live rows that are kept where the log
    has no newer version of them, such as erased users whose tombstones the compaction has removed.
    """

    name: str
    log: str
    tables: tuple[Table, ...]
    open_source: Callable[[Sequence[Table]], AbstractContextManager[Source]]
    shown: Mapping[str, tuple[str, ...]]
    decoded: Mapping[str, Callable[[str], object]] = {}
    carried: Callable[[Table], ColumnElement[bool]] | None = None
