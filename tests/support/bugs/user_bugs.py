"""Bugs of the user service: its group commit, its relay and its store."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from sqlalchemy import text

from services.chassis.database.database import Database
from services.chassis.messages.event import StoredEvent
from services.chassis.messages.record import Outgoing
from services.chassis.outbox import divergence_check, event_store, group_commit
from services.chassis.outbox.event_publisher import Chunk, EventPublisher
from services.chassis.outbox.group_commit import GroupCommit
from services.chassis.outbox.lease import Lease, Leases, relay
from services.user import publisher
from services.user.handlers import CommandHandler
from tests.support.bugs.replacing import PATIENCE_S, replace

TOGETHER = 3  # events that a relay takes at a time
TAKEN = "CREATE TABLE IF NOT EXISTS taken (sequence BIGINT PRIMARY KEY)"
NEXT = f"SELECT sequence FROM events WHERE sequence NOT IN (SELECT sequence FROM taken) ORDER BY 1 LIMIT {TOGETHER}"  # noqa: S608  # a constant


def acknowledge_before_commit() -> None:
    """Answer a group of commands after a trial that is rolled back, and commit it a moment later."""

    def handling(handle: Any) -> Any:
        def wrong(self: Any, commands: Sequence[Any]) -> Any:
            real, self._database = self._database, _Undoing(self._database)
            try:
                return handle(self, commands)
            finally:
                self._database = real

        return wrong

    def committing(commit: Any) -> Any:
        handle = CommandHandler.handle

        def wrong(self: Any, group: list[Any]) -> None:
            commands = [waiting.command for waiting in group]
            replies = handling(handle)(self._handler._handler, commands)  # noqa: SLF001  # behind `Retrying`
            group_commit._schedule(group, partial(group_commit._resolve, group, replies))  # noqa: SLF001  # its own way
            time.sleep(PATIENCE_S)
            commit(self, group)

        return wrong

    replace(GroupCommit, "_commit", committing)


class _Undoing:
    """A database whose transactions leave nothing."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.system = database.system

    @contextmanager
    def write(self) -> Iterator[Any]:
        """Yield a connection in a transaction that is rolled back."""
        with self._database.write() as connection:
            yield connection
            connection.rollback()


def relay_without_fencing() -> None:
    """Let every replica take the lease at once, and keep it when another takes it."""
    replace(Leases, "take", lambda _: lambda self: Lease(1, self.cursor()))
    replace(Leases, "_set", lambda _: lambda *_arguments, **_values: None)
    replace(Leases, "writing", lambda _: _unfenced)


@contextmanager
def _unfenced(self: Any, _lease: Lease, **values: int) -> Iterator[Any]:
    with self._database.write() as connection:
        if values:
            connection.execute(relay.update().values(values))
        yield connection


def two_relays_with_skip_locked() -> None:
    """Let each replica take the next few events that no other has taken, and let every second chunk wait."""
    turn = [False]

    def taking(_next_chunk: object) -> Any:
        def wrong(self: Any, _cursor: int) -> Chunk:
            with self._outbox.database.write() as connection:
                connection.execute(text(TAKEN))
                numbers = list(connection.scalars(text(NEXT)))
                for number in numbers:
                    connection.execute(text("INSERT INTO taken VALUES (:number)"), {"number": number})
                events = event_store.these(connection, numbers)
            turn[0] = not turn[0]
            if turn[0] and events:
                time.sleep(PATIENCE_S)
            return Chunk(events, set(), is_last=len(events) < TOGETHER)

        return wrong

    replace(EventPublisher, "next_chunk", taking)
    replace(Leases, "take", lambda _: lambda _self: Lease(1, 0))
    replace(Leases, "_set", lambda _: lambda *_arguments, **_values: None)


def state_older_than_fact() -> None:
    """Publish the state of a user's event before in the place of the newest."""
    before: dict[str, Outgoing] = {}

    def recording(records: Any) -> Any:
        def wrong(stored: StoredEvent) -> Sequence[Outgoing]:
            fact, state, notice = records(stored)
            older = before.get(stored.event.subject, state)
            before[stored.event.subject] = state
            return fact, older, notice

        return wrong

    replace(publisher, "records", recording)


def restored_store_publishes_old_numbers() -> None:
    """Start on whatever store there is, also on a backup that has not what is on the log."""
    replace(divergence_check, "require_own", lambda _: lambda *_: None)
