"""The command `restore`: records what the topics have and the log lacks, and reports from where its evidence begins.

The service does the same by itself when it is started, except that it stops at a position that retention has deleted.
"""

import time
from collections.abc import Mapping, Sequence
from contextlib import closing

import msgspec
from rich.console import Console
from sqlalchemy import Connection

from services.audit import report, store
from services.chassis.consumer.offset_store import OffsetConflictError
from services.chassis.consumer.offset_tracker import OffsetTracker
from services.chassis.consumer.subscription import Handler
from services.chassis.database.database import Database
from services.chassis.kafka.partition_reader import PartitionReader
from services.chassis.kafka.settings import KafkaSettings
from services.chassis.messages.record import Record, TopicPartition
from services.chassis.messages.terminal import print_line

NAME = "audit-restore"
Offsets = Mapping[TopicPartition, int]


class RestoreError(Exception):
    """The store cannot be restored as it is; the message has the reason and the next step."""


class Topics(msgspec.Struct, frozen=True):
    """The broker, and the first and the end offset of each partition."""

    settings: KafkaSettings
    begins: Offsets
    ends: Offsets


class Store(msgspec.Struct, frozen=True):
    """The database with the log of an origin, the service's own handler, and the positions that it has read."""

    database: Database
    origin: str
    handle: Handler
    offsets: OffsetTracker


def run(topics: Topics, into: Store, output: Console, *, after_backup: bool) -> None:
    """Restore and report. Raises RestoreError, TopicChangedError, StoreError, ConnectionError, SQLAlchemyError."""
    store.create_log(into.database, into.origin)
    with into.database.read() as connection:
        before = _required(connection, into.origin, after_backup=after_backup)
    started = time.perf_counter()
    try:
        _record(topics, into, output)
    except OffsetConflictError as error:
        raise RestoreError(f"{error}: stop every instance of the audit service, and repeat the command") from error
    took = time.perf_counter() - started
    with into.database.read() as connection:
        size, chains = store.read_size(connection, into.origin), store.read_chains(connection)
    output.print(report.summary(list(chains.values()), into.origin))
    for line in report.missing(chains.values(), topics.begins):
        print_line(output, line)
    print_line(output, f"{size - before:,} entries added to {before:,}, {(size - before) / took:,.0f} a second")
    print_line(output, "start the service: it goes on behind the last entry of each partition")


def _required(connection: Connection, origin: str, *, after_backup: bool) -> int:
    size = store.read_size(connection, origin)
    if size and not after_backup:
        raise RestoreError(
            f"the database is not empty, it has {size:,} entries: if it is a backup, or a restore that was "
            "interrupted, `restore --after-backup` adds what came since; otherwise name an empty database in "
            "APP_DATABASE_URL"
        )
    if after_backup and not size:
        raise RestoreError("the database is empty, so it is no backup: use `restore` without --after-backup")
    return size


def _record(topics: Topics, into: Store, output: Console) -> None:
    stored = into.offsets.start_offsets(list(topics.begins))
    # Retention may have deleted records behind the backup: they are missing, and the report has where.
    starts = {place: max(stored.get(place, 0), begin) for place, begin in topics.begins.items()}
    total, done = sum(topics.ends[place] - start for place, start in starts.items()), 0
    with closing(PartitionReader(topics.settings, NAME, starts)) as reader, output.status("reading") as status:
        for records in filter(None, reader.read_to_end()):
            _apply(into, records)
            done += len(records)
            status.update(f"recorded {done:,} of {total:,} offsets")


def _apply(into: Store, records: Sequence[Record]) -> None:
    positions = into.offsets.positions_after(records)
    with into.database.write() as connection:
        into.handle(connection, records)
        into.offsets.store(connection, positions)
    into.offsets.stored(positions)
