"""Commit to acknowledgement: events are committed at a steady rate while the relay publishes them, in one process.

Committing is an open loop: what is due is committed in one transaction, as the group commit does.
"""

import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta

from services.chassis.database.database import Database
from services.chassis.kafka.producer import Producer
from services.chassis.messages.clock import utc_now
from services.chassis.messages.record import Outgoing
from services.chassis.outbox import event_store
from services.chassis.outbox.event_publisher import Outbox
from services.chassis.outbox.lease import Leases
from services.chassis.outbox.relay import Relay
from services.chassis.process.runtime import collect_rarely
from services.chassis.telemetry.telemetry import telemetry
from services.contracts.catalog import published_by
from services.user import publisher
from services.workbench.bench.setting import Place
from services.workbench.bench.workload import registered
from services.workbench.polling import until

RECORDS = len(published_by("user"))  # of a registration: one on each topic
LEASE = timedelta(seconds=20)
WARM_S = 1.0


class TimedProducer(Producer):
    """A producer that notes when the records of each event, in order, were acknowledged."""

    def __init__(self, here: Place, acknowledged: list[float]) -> None:
        super().__init__(here.settings, "bench")
        self._acknowledged = acknowledged

    def publish(self, records: Iterable[Outgoing]) -> Counter[str]:
        """Publish, and note the time for each event."""
        sent = super().publish(records)
        self._acknowledged.extend([time.perf_counter()] * (sent.total() // RECORDS))
        return sent


def latencies(here: Place, url: str, rate: float, seconds: float) -> list[float]:
    """Return the seconds from commit to acknowledgement of each event, those of the first second left out."""
    collect_rarely()
    acknowledged: list[float] = []
    with closing(Database(url)) as database, _relay(here, database, acknowledged) as appended:
        committed = _commit(database, appended, rate, seconds + WARM_S)
        until("all is acknowledged", lambda: len(acknowledged), lambda number: number >= len(committed))
    if len(acknowledged) != len(committed):
        raise RuntimeError(f"{len(committed)} events committed, {len(acknowledged)} published: the relay began again")
    both = zip(committed, acknowledged, strict=True)
    return [max(after - before, 0.0) for before, after in both][int(WARM_S * rate) :]


@contextmanager
def _relay(here: Place, database: Database, acknowledged: list[float]) -> Iterator[threading.Event]:
    """Yield the event that wakes a relay, which runs until the end of the block."""
    appended, stop = threading.Event(), threading.Event()
    outbox = Outbox(
        database=database,
        leases=Leases(database, "bench", LEASE),
        records=publisher.records,
        open_producer=lambda: TimedProducer(here, acknowledged),
    )
    thread = threading.Thread(target=Relay(outbox, appended, telemetry("user")).run, args=(stop,))
    thread.start()
    try:
        yield appended
    finally:
        stop.set()
        thread.join()


def _commit(database: Database, appended: threading.Event, rate: float, seconds: float) -> list[float]:
    """Commit events at a rate and return the time after each one's commit."""
    committed: list[float] = []
    started, number = time.perf_counter(), round(rate * seconds)
    while len(committed) < number:
        due = min(int((time.perf_counter() - started) * rate) + 1, number)
        if due == len(committed):
            time.sleep(max(started + due / rate - time.perf_counter(), 0.0))
            continue
        with database.write() as connection, event_store.appending(connection, utc_now()) as pending:
            pending.events += [registered(one).event for one in range(len(committed) + 1, due + 1)]
        committed += [time.perf_counter()] * (due - len(committed))
        appended.set()
    return committed
