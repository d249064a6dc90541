"""Rebuild check: folds the topic with its own consumer, up to the end it had at the start, and compares the users."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
from rich.console import Console
from sqlalchemy import func, select

from services.chassis.consumer import offset_store
from services.chassis.consumer.held.held_records import HeldRecords
from services.chassis.consumer.held.table import held
from services.chassis.consumer.loop import Consumer
from services.chassis.consumer.offset_tracker import Broker
from services.chassis.consumer.subscription import JoinGroup, Subscription
from services.chassis.database.database import Database
from services.chassis.messages.clock import utc_now
from services.chassis.messages.record import partitions_of
from services.chassis.outbox import operator_events
from services.chassis.outbox.operator_events import Action, Operator
from services.chassis.telemetry.health import Health
from services.chassis.telemetry.telemetry import telemetry
from services.contracts.catalog import USER_EVENTS
from services.user import rebuild

LOOK_S = 0.2
STUCK_S = 30.0
GROUP = "user-rebuild"
UNLIMITED = 2**31
PARTITIONS = partitions_of(USER_EVENTS.name, USER_EVENTS.partitions)


class StuckError(Exception):
    """The rebuild does not end; the message names what is missing."""


class Rebuild(msgspec.Struct, frozen=True):
    """The log to fold, the service's own database to compare with, and the operator who compares."""

    join_group: JoinGroup
    broker: Broker
    own: Database
    operator: Operator


def check(inputs: Rebuild, output: Console) -> list[str]:
    """Fold the log into a temporary table; return the differences. Raises StuckError, ConnectionError."""
    with TemporaryDirectory() as folder:
        scratch = Database(f"sqlite:///{Path(folder) / 'rebuild.db'}")
        try:
            if parked := _fold_into(scratch, inputs, output):
                output.print(f"{parked} users could not be folded to their end")
            with scratch.read() as log, inputs.own.read() as own:
                folded = rebuild.folded(log)
                found = rebuild.differences(rebuild.kept(own), folded)
            _put_on_record(inputs, len(folded))
            return found
        finally:
            scratch.close()
            inputs.own.close()


def _put_on_record(inputs: Rebuild, users: int) -> None:
    what = f"{USER_EVENTS.name}, folded and compared with the store"
    with inputs.own.write() as connection:
        action = Action(name="store.rebuild", selection=what, count=users)
        operator_events.record(connection, action, inputs.operator, utc_now())


def _fold_into(database: Database, inputs: Rebuild, output: Console) -> int:
    """Fold the whole topic into a database. Returns the number of keys that failed. Raises StuckError."""
    rebuild.rebuilt.create(database.engine)
    offset_store.progress.create(database.engine)
    held.create(database.engine)
    own = telemetry("rebuild")
    records = HeldRecords(own.clock, dead_letters_ceiling=UNLIMITED, parked_keys_ceiling=UNLIMITED)
    subscription = Subscription(
        group=f"{GROUP}-{time.time_ns()}",
        topics=(USER_EVENTS.name,),
        handle=rebuild.Fold(),
        join_group=inputs.join_group,
        broker=inputs.broker,
        held=records,
    )
    stop = threading.Event()
    consumer = Consumer(subscription, database, own)
    thread = threading.Thread(target=consumer.run, args=(stop,), daemon=True)
    ends = inputs.broker.ends(PARTITIONS)
    thread.start()

    def folded() -> int | None:
        if consumer.refusal:  # waiting would not help
            raise StuckError(consumer.refusal)
        return None if consumer.has_read(ends) else _folded(database)

    try:
        _await_end(folded, sum(ends.values()), output, own.health)
    finally:
        stop.set()
        thread.join()
    with database.read() as connection:
        # Dead records as well: a fact that cannot be decoded is missing in the fold.
        keys = select(held.c.topic, held.c.key).distinct().subquery()
        return connection.scalar(select(func.count()).select_from(keys)) or 0


def _await_end(folded: Callable[[], int | None], ends: int, output: Console, health: Health) -> None:
    """Wait for the end, at which `folded` returns None. Raises StuckError."""
    seen, moved = -1, time.monotonic()
    while (now := folded()) is not None:
        if now != seen:
            seen, moved = now, time.monotonic()
            output.print(f"folded {now:,} of {ends:,} events", highlight=False)
        elif time.monotonic() - moved > STUCK_S:
            reason = (health.missing() | health.absent()).get(Consumer.name, "is Kafka there?")
            raise StuckError(f"{ends - now:,} of {ends:,} events cannot be read for {STUCK_S:.0f} s: {reason}")
        time.sleep(LOOK_S)
    output.print(f"folded {ends:,} of {ends:,} events", highlight=False)


def _folded(database: Database) -> int:
    with database.read() as connection:
        return sum(position.next_offset for position in offset_store.read(connection, PARTITIONS).values())
