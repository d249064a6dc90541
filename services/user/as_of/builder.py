"""Builds `users` and `reservations` in an empty database, in batches, by the functions that the service itself uses."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import cast

from sqlalchemy import Connection, inspect

from services.chassis.consumer.decoding import Event
from services.chassis.database.database import Database, metadata
from services.contracts.envelope import Envelope
from services.contracts.user import Fact, UserState
from services.user.as_of.merge import LogError
from services.user.as_of.target import TargetError
from services.user.domain import evolve
from services.user.store import LIVE, UserRows, UserTables, reservations, reserved_by_facts, users

BATCH = 1000
TABLES = [users, reservations]


@contextmanager
def tables(database: Database) -> Iterator[None]:
    """Create the tables; drop them on any exception, Ctrl-C included. Raises TargetError if the database has tables."""
    if found := inspect(database.engine).get_table_names():
        raise TargetError(f"the database has tables already ({', '.join(sorted(found)[:5])}): name an empty one")
    try:
        metadata.create_all(database.engine, tables=TABLES)
        yield
    except BaseException:
        metadata.drop_all(database.engine, tables=TABLES)
        raise


def build(database: Database, events: Iterator[Event]) -> Iterator[Envelope]:
    """Apply events; yield the envelope of the last event of each committed batch. Raises LogError."""
    while batch := list(islice(events, BATCH)):
        with database.write() as connection:
            apply(connection, batch)
        yield batch[-1].envelope


def apply(connection: Connection, batch: Sequence[Event], into: UserTables = LIVE) -> list[UserState]:
    """Apply a batch to users and reservations; return the user's state after each event. Raises LogError."""
    facts = [cast("Fact", event.data) for event in batch]
    rows = UserRows(connection, {event.envelope.subject for event in batch}, reserved_by_facts(facts), into)
    states = []
    for event, fact in zip(batch, facts, strict=True):
        states.append(_after(event, rows.user(event.envelope.subject), fact))
        rows.put(states[-1])
    rows.write_users()
    return states


def _after(event: Event, before: UserState | None, fact: Fact) -> UserState:
    wanted, had = event.envelope, before.version if before else 0
    try:
        user = evolve(wanted.subject, before, fact)
    except ValueError as error:
        raise LogError(f"{event.record.place}: {error}") from None
    if user.version != wanted.version or user.version != had + 1:
        raise LogError(f"{event.record.place} has version {wanted.version} of user {wanted.subject} after {had}")
    return user
