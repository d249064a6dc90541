"""Restores the user database, with a progress bar, and reports what came back, what did not, and the rate."""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path

import msgspec
from rich.console import Console

from services.chassis.consumer.decoding import Decoder, UnknownShapeError
from services.chassis.database import migrations
from services.chassis.database.database import Database
from services.chassis.messages.clock import Clock
from services.chassis.messages.record import Record
from services.chassis.messages.terminal import print_line
from services.chassis.outbox.lease import Leases, exclusive
from services.chassis.outbox.operator_events import Operator
from services.contracts.envelope import Envelope
from services.user.as_of.command import Consoles, Log, opened, shown
from services.user.as_of.merge import MergedLog
from services.user.rebuild import FACTS
from services.user.restore import restorer
from services.user.restore.restorer import Extent, RestoreError, Restorer

NOT_RESTORED = """\
What does not come back, because no topic has it:
- events that were accepted but not published when the database was lost, although their requests were answered
- replies for idempotency keys{since}: such a request is executed again when it is repeated, or refused as a conflict
- records that the service held{since}, dead or parked: they are read again from their topic as far as it reaches back
- operators' actions that were not published; their numbers begin again{since}"""


class Store(msgspec.Struct, frozen=True):
    """The database to restore, its revisions, the lease of its relay, and the operator who restores."""

    database: Database
    revisions: Path
    leases: Leases
    operator: Operator
    clock: Clock


class Topics(msgspec.Struct, frozen=True):
    """The log of all facts, and a function that returns the batches of the topic of failed mails."""

    log: Log
    failures: Callable[[], Iterable[Sequence[Record]]]


def run(topics: Topics, store: Store, consoles: Consoles, *, after_backup: bool) -> None:
    """Restore and report.

    Raises RestoreError, DifferentLogError, LogError, LeaseHeldError, LeaseLostError, ConnectionError, SQLAlchemyError.
    """
    migrations.upgrade(store.database, store.revisions)
    restorer.extent(store.database, after_backup=after_backup)  # before a wait for the lease
    with exclusive(store.leases, lambda seconds: _wait(seconds, consoles)) as lease:
        before = restorer.extent(store.database, after_backup=after_backup)
        _restore(topics, store, Restorer(store.leases, lease, before), before, consoles)
    print_line(consoles.report, NOT_RESTORED.format(since=" since the backup" if after_backup else ""))


def _restore(topics: Topics, store: Store, restored: Restorer, before: Extent, consoles: Consoles) -> None:
    if before.stored > before.counted:
        print_line(consoles.report, f"goes on behind sequence {before.stored:,}, where an earlier run ended")
    started = time.perf_counter()
    with ExitStack() as stack:
        merged = MergedLog(opened(topics.log, stack), Decoder(FACTS))
        last = shown(restored.append(iter(merged)), topics.log.records, consoles.progress)
    took = time.perf_counter() - started
    if last is None:
        raise RestoreError("the log has no event: does APP_KAFKA_BOOTSTRAP_SERVERS name the right Kafka?")
    if merged.skipped:
        print_line(consoles.report, f"{merged.skipped:,} records are no events, the first is {merged.first_skipped}")
    try:
        failed = restored.remember_failures(topics.failures(), store.clock())
    except UnknownShapeError as error:
        raise RestoreError(f"{error}: use a newer program") from None
    after = restored.finish(last, store.operator, store.clock())
    _report(before, after, last, consoles.report)
    print_line(consoles.report, f"{last.sequence:,} events read in {took:.1f} s: {last.sequence / took:,.0f} a second")
    print_line(consoles.report, f"{failed:,} failed mails were decided before, and flag no address again")


def _report(before: Extent, after: Extent, last: Envelope, output: Console) -> None:
    appended = f"{max(0, last.sequence - before.stored):,} events appended, {before.stored:,} kept"
    print_line(output, f"restored up to sequence {last.sequence:,}: {appended}")
    if waiting := after.counted - after.published:
        print_line(output, f"{waiting:,} events of the backup are not on the log yet: the relay publishes them")
    print_line(output, f"the next event gets sequence {after.counted + 1:,}: start the service")


def _wait(seconds: float, consoles: Consoles) -> None:
    consoles.progress.print("another process has held the lease of the relay: waiting for its end", highlight=False)
    threading.Event().wait(seconds)
