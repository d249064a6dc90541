"""(c): the user service's relay, from a filled event store, against a bare producer that sends the same records."""

import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from confluent_kafka import Producer

from services.chassis.database.database import Database
from services.chassis.kafka import config
from services.chassis.messages.record import Outgoing
from services.chassis.outbox import event_store
from services.chassis.outbox.event_publisher import CHUNK
from services.user import publisher
from services.workbench.bench import ours
from services.workbench.bench.outcome import Pair, Part, Say
from services.workbench.bench.setting import Place, Sizes, place
from services.workbench.bench.workload import registered

FLUSH_S = 60.0


@contextmanager
def part(sizes: Sizes) -> Iterator[Part]:
    """Yield the part, its event store filled and its records built."""
    with place(sizes) as here:
        store = here.folder / "filled.db"
        _fill(here, store)
        records = [record for number in range(1, sizes.users + 1) for record in publisher.records(registered(number))]
        copies = (here.folder / f"{number}.db" for number in range(sizes.rounds))
        yield Part("c", "records/s", 2, lambda say: [_round(here, records, shutil.copy(store, next(copies)), say)])


def _round(here: Place, records: Sequence[Outgoing], path: Path | str, say: Say) -> Pair:
    say("bare producer")
    its = _produce(here, records)
    say("relay")
    mine = ours.relay(here.bootstrap, f"sqlite:///{path}", len(records))
    return Pair(f"relay, {len(records):,} records", "bare producer", its, mine)


def _produce(here: Place, records: Sequence[Outgoing]) -> float:
    """Send built records as fast as the client takes them; return records per second, the first chunk left out."""
    producer = Producer(config.producer(here.settings, "bare"))
    first = 3 * CHUNK
    _send(producer, records[:first])
    started = time.perf_counter()
    _send(producer, records[first:])
    return (len(records) - first) / (time.perf_counter() - started)


def _send(producer: Producer, records: Sequence[Outgoing]) -> None:
    for record in records:
        producer.produce(
            record.topic,
            key=record.key,
            value=record.value,
            headers=record.headers,  # type: ignore[arg-type]  # the stub leaves null values out
        )
    if left := producer.flush(FLUSH_S):
        raise TimeoutError(f"{left} records unsent after {FLUSH_S:.0f} s")


def _fill(here: Place, store: Path) -> None:
    url = f"sqlite:///{store}"
    ours.prepare("user", here.bootstrap, url)
    database = Database(url)
    events = [registered(number) for number in range(1, here.sizes.users + 1)]
    with database.write() as connection, event_store.appending(connection, events[0].time) as pending:
        pending.events += [stored.event for stored in events]
    database.close()
