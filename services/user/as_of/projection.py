"""The projection `users`: users and reservations, folded from `user.events.v1` and, behind it, the event store.

Events above the relay's cursor may not be on the topic yet, so they come from the store. The counter row is locked in
the swap: no command can append meanwhile.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from itertools import islice

from sqlalchemy import Connection, Table

from services.chassis.consumer.decoding import Decoder, Event
from services.chassis.database.database import Database
from services.chassis.messages.event import StoredEvent
from services.chassis.messages.record import Outgoing, Record
from services.chassis.outbox import event_store
from services.chassis.outbox.lease import published
from services.chassis.projection.description import BATCH, Projection, RebuildError, Source
from services.contracts.catalog import USER_EVENTS
from services.user.as_of import builder
from services.user.as_of.command import Batches
from services.user.as_of.merge import LogError, MergedLog
from services.user.rebuild import FACTS
from services.user.store import STATE, UserTables, reservations, users

NAME = "users"
Facts = Callable[[StoredEvent], Sequence[Outgoing]]  # the records of a stored event, the fact first


class UsersSource:
    """Implements `chassis.projection.description.Source`; a position is a sequence number."""

    def __init__(self, log: MergedLog, published: int, into: UserTables, facts: Facts) -> None:
        self._facts = facts
        self._log = log
        self._events = islice(iter(log), published)
        self._published = published
        self._into = into
        self._decoder = Decoder(FACTS)
        self._batch: list[Event] = []
        self._applied = 0

    def lock(self, connection: Connection) -> None:
        """Lock the counter row, as every command does before it touches the users."""
        event_store.LOCK.row(connection)

    def position(self, connection: Connection) -> int:
        """Return the last sequence number."""
        return event_store.last_sequence(connection)

    def remaining(self, to: int) -> int:
        """Return the number of events that are not applied."""
        return max(0, to - self._applied)

    def fetch(self, to: int, wait_s: float) -> bool:  # noqa: ARG002  # the store has them
        """Read the next batch of the log, while there are published events. Raises RebuildError, ConnectionError."""
        if self._applied < self._published and not self._batch:
            try:
                self._batch = list(islice(self._events, BATCH))
            except LogError as error:
                raise RebuildError(str(error)) from error
            if not self._batch:
                raise RebuildError(
                    f"{USER_EVENTS.name} ends at sequence {self._applied}, the relay has published {self._published}"
                )
        return True

    def apply(self, connection: Connection, to: int) -> int:
        """Apply the batch of the log, or behind it the store's next events. Raises RebuildError."""
        batch = self._batch or self._stored(event_store.read(connection, self._applied, min(BATCH, to - self._applied)))
        if batch:
            try:
                builder.apply(connection, batch, self._into)
            except LogError as error:
                raise RebuildError(str(error)) from error
            self._applied, self._batch = batch[-1].envelope.sequence, []
        return len(batch)

    def notes(self) -> Iterator[str]:
        """Yield how many records are no events."""
        if self._log.skipped:
            yield f"{self._log.skipped:,} records are no events, the first is {self._log.first_skipped}"

    def _stored(self, events: Sequence[StoredEvent]) -> list[Event]:
        records = (self._facts(event)[0] for event in events)
        return self._decoder.decode(
            [
                Record("the event store", 0, event.sequence, 1, 0, record.key, record.value, record.headers)
                for event, record in zip(events, records, strict=True)
            ]
        ).events


def projection(database: Database, open_log: Callable[[], Sequence[Batches]], facts: Facts) -> Projection:
    """Return the description. `open_log` returns the batches of each partition, from the beginning."""
    return Projection(
        name=NAME,
        log=USER_EVENTS.name,
        tables=(users, reservations),
        open_source=partial(_opened, database, open_log, facts),
        shown={users.name: ("user_id", "version"), reservations.name: ("kind", "user_id")},
        decoded={"state": STATE.decode},
    )


@contextmanager
def _opened(
    database: Database, open_log: Callable[[], Sequence[Batches]], facts: Facts, into: Sequence[Table]
) -> Iterator[Source]:
    with database.read() as connection:
        cursor = published(connection)
    with ExitStack() as stack:
        batches = [stack.enter_context(closing(batches)) for batches in open_log()]
        yield UsersSource(MergedLog(batches, Decoder(FACTS)), cursor, UserTables(*into), facts)
