"""Appends the log's events to the store, with users and reservations, and sets counter and cursor in the end.

Each batch is a transaction under the lease of the relay. The counter keeps its value until the last one, so that an
unfinished restore is known by events behind the counter, and goes on where it was.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import islice

import msgspec
from sqlalchemy import Connection, delete, func, select, update

from services.chassis.consumer.decoding import Event
from services.chassis.database import bulk
from services.chassis.database.database import Database
from services.chassis.messages.record import Record
from services.chassis.outbox import event_store, operator_events
from services.chassis.outbox.event_store import LOCK, counter, events
from services.chassis.outbox.fact_record import event_row
from services.chassis.outbox.lease import Lease, Leases, relay
from services.chassis.outbox.operator_events import Action, Operator
from services.chassis.outbox.stopped_events import stopped
from services.contracts.catalog import USER_EVENTS
from services.contracts.envelope import Envelope
from services.user.as_of import builder
from services.user.restore import failures

BATCH = 1000
RENEW_S = 5.0
STOP = "stop every instance of the user service, and repeat the command"


class RestoreError(Exception):
    """The store cannot be restored as it is; the message has the reason and the next step."""


class DifferentLogError(Exception):
    """The store has another event than the log under a sequence number; the message has both."""


class Extent(msgspec.Struct, frozen=True):
    """Sequence numbers of a store: that of the counter, that of the last event, and up to which all are published.

    They are apart for the events that wait for the relay, and for those of a restore that has not ended.
    """

    counted: int
    stored: int
    published: int


def extent(database: Database, *, after_backup: bool) -> Extent:
    """Return the extent of the store. Raises RestoreError unless it is empty, or has something in it `after_backup`."""
    last = select(func.coalesce(func.max(events.c.sequence), 0)).scalar_subquery()
    published = select(relay.c.cursor).scalar_subquery()
    with database.read() as connection:
        found = Extent(*connection.execute(select(counter.c.last_sequence, last, published)).one())
    if found.counted and not after_backup:
        raise RestoreError(
            f"the database is not empty, it has events up to sequence {found.counted:,}: if it is a backup, "
            "`restore --after-backup` appends what came since; otherwise name an empty database in APP_DATABASE_URL"
        )
    if after_backup and not found.counted:
        raise RestoreError("the database is empty, so it is no backup: use `restore` without --after-backup")
    return found


class Restorer:
    """The store while it is restored; nobody else may append to it. Every method raises LeaseLostError as well."""

    def __init__(self, leases: Leases, lease: Lease, before: Extent) -> None:
        self._leases = leases
        self._lease = lease
        self._before = before
        self._renewed = time.monotonic()

    def append(self, merged: Iterator[Event]) -> Iterator[Envelope]:
        """Append the events that the store lacks; yield the envelope of the last event of each committed batch.

        Raises LogError, DifferentLogError, RestoreError.
        """
        stored = self._before.stored
        while batch := list(islice(merged, BATCH)):
            known = max(0, stored - batch[0].envelope.sequence + 1)
            with self._writing() as connection:
                _require_own(connection, batch[:known])
                _append(connection, batch[known:])
            yield batch[-1].envelope

    def remember_failures(self, batches: Iterable[Sequence[Record]], now: datetime) -> int:
        """Have the consumer of failed mails recognise those that were decided before. Returns how many those are."""
        remembered = 0
        for batch in filter(None, batches):
            with self._writing() as connection:
                remembered += failures.remember_decided(connection, batch, now)
        return remembered

    def finish(self, last: Envelope, operator: Operator, now: datetime) -> Extent:
        """Let the service go on behind the last event of the log. Returns the store's extent. Raises RestoreError."""
        if last.sequence < self._before.published:
            raise RestoreError(
                f"{USER_EVENTS.name} ends at sequence {last.sequence:,}, but the store has published up to "
                f"{self._before.published:,}: the topic has lost events; `console relay republish` publishes them again"
            )
        newest = select(events.c.sequence, events.c.time).order_by(events.c.sequence.desc()).limit(1)
        with self._writing() as connection:
            sequence, moment = connection.execute(newest).one()
            connection.execute(update(counter).values(last_sequence=sequence, last_time=moment))
            connection.execute(update(relay).values(cursor=last.sequence))
            # Whatever was stopped when a backup was taken has been published since.
            connection.execute(delete(stopped).where(stopped.c.sequence <= last.sequence))
            into = f"a backup with {self._before.counted} events" if self._before.counted else "an empty store"
            done = Action(name="store.restore", selection=f"{USER_EVENTS.name} into {into}", count=last.sequence)
            operator_events.record(connection, done, operator, now)
        return Extent(sequence, sequence, last.sequence)

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        if time.monotonic() - self._renewed > RENEW_S:
            self._leases.renew(self._lease)
            self._renewed = time.monotonic()
        with self._leases.writing(self._lease) as connection:
            counted, _ = LOCK.row(connection)
            if counted != self._before.counted:
                raise RestoreError(f"another instance has appended event {counted:,} meanwhile: {STOP}")
            yield connection


def _require_own(connection: Connection, known: Sequence[Event]) -> None:
    stored = event_store.ids(connection, [event.envelope.sequence for event in known])
    for event in known:
        sequence, event_id = event.envelope.sequence, event.envelope.id
        if (found := stored.get(sequence)) != event_id:
            raise DifferentLogError(
                f"{event.record.place} has event {event_id} under sequence {sequence:,}, the store has "
                f"{found or 'nothing'} there: it is no backup of this log; restore another backup, or into an "
                "empty database"
            )


def _append(connection: Connection, batch: Sequence[Event]) -> None:
    if batch:
        states = builder.apply(connection, batch)
        rows = [
            event_row(event.envelope, event.encoded, msgspec.json.encode(state).decode())
            for event, state in zip(batch, states, strict=True)
        ]
        bulk.insert(connection, events, rows)
