"""The command `restore`: brings events, mails and outcomes back from the topic, and reports what does not come back."""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

import msgspec
from rich.console import Console
from rich.table import Table
from sqlalchemy import func, select

from services.chassis.database.database import Database
from services.chassis.messages.record import Record
from services.chassis.messages.terminal import print_line
from services.chassis.outbox.event_store import events, last_sequence
from services.chassis.outbox.lease import Leases, exclusive
from services.notification.domain import IntentState
from services.notification.store import restore
from services.notification.store.tables import intents

READ_WHEN_STARTED = """\
When the service is started it reads users, their addresses and waiting notices from user.state.v1 and user.notices.v1,
{since}. It decides no notice again whose mails are restored.
Does not come back, because no topic has it:
- mails and outcomes that retention has deleted, and events that were not published when the database was lost: a mail
  without its outcome on the topic is sent again, under its old Message-ID if the topic has it as queued
- tries and waiting times of mails that are open, and the mail server's replies to those that are sent
- records that the service held{lost}: they are read again as far as their topics reach back
- operators' actions that were not published{lost}"""


class Source(msgspec.Struct, frozen=True):
    """The topic of the service's own events: its batches, and their number of records."""

    read: Callable[[], Iterable[Sequence[Record]]]
    records: int


class RestoreError(Exception):
    """The store cannot be restored as it is; the message has the reason and the next step."""


class Extent(msgspec.Struct, frozen=True):
    """The content of a store: the last number of the counter, its events, and its mails by state."""

    last: int
    events: int
    mails: dict[str, int]


def run(database: Database, leases: Leases, source: Source, output: Console, *, after_backup: bool) -> None:
    """Restore and report.

    Raises RestoreError, OtherTopicError, LeaseHeldError, LeaseLostError, ConnectionError, SQLAlchemyError.
    """
    before = extent(database)
    _require(before, after_backup=after_backup)
    with exclusive(leases, threading.Event().wait) as lease:
        last = restore.restore(database, _followed(source, partial(leases.renew, lease), output))
    after = extent(database)
    if not last:
        raise RestoreError("the topic has no event: does APP_KAFKA_BOOTSTRAP_SERVERS name the right Kafka?")
    output.print(_table(before, after))
    if lost := after.last - before.last - (after.events - before.events):
        why = "retention, or they were not published"
        print_line(output, f"{lost:,} events of these numbers are not on the topic: {why}")
    since = "from the positions of the backup on" if after_backup else "from their beginning on"
    print_line(output, READ_WHEN_STARTED.format(since=since, lost=" since the backup" if after_backup else ""))
    print_line(output, f"restored up to sequence {last:,}: start the service")


def extent(database: Database) -> Extent:
    """Return what a store has."""
    with database.read() as connection:
        states = connection.execute(select(intents.c.state, func.count()).group_by(intents.c.state))
        mails: dict[str, int] = {state: number for state, number in states}  # noqa: C416  # a result is no mapping
        count = connection.scalar(select(func.count()).select_from(events)) or 0
        return Extent(last_sequence(connection), count, mails)


def _require(found: Extent, *, after_backup: bool) -> None:
    if found.last and not after_backup:
        raise RestoreError(
            f"the database is not empty, it has events up to sequence {found.last:,}: if it is a backup, "
            "`restore --after-backup` adds what came since; otherwise name an empty database in APP_DATABASE_URL"
        )
    if after_backup and not found.last:
        raise RestoreError("the database is empty, so it is no backup: use `restore` without --after-backup")


def _followed(source: Source, renew: Callable[[], None], output: Console) -> Iterator[Sequence[Record]]:
    done = 0
    with output.status("reading notification.events.v1") as status:
        for records in source.read():
            renew()
            done += len(records)
            status.update(f"read {done:,} of {source.records:,} records of notification.events.v1")
            yield records


def _table(before: Extent, after: Extent) -> Table:
    table = Table("", "before", "now")
    for column in table.columns[1:]:
        column.justify = "right"
    table.add_row("events", f"{before.events:,}", f"{after.events:,}")
    for state in IntentState:
        if number := after.mails.get(state, 0):
            table.add_row(f"mails {state}", f"{before.mails.get(state, 0):,}", f"{number:,}")
    return table
