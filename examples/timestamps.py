"""The smallest producer and consumer on the chassis: timestamps, until Ctrl-C.

Needs a broker, such as that of `make run`: `.eventline/venv/bin/python -m examples.timestamps`; `BROKER=HOST:PORT`
names another. Started again, it shows only new ones: the position is in `.eventline/timestamps.db`, committed together
with what `handle` writes.
"""

import contextlib
import os
import sys
import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from sqlalchemy import Connection

from services.chassis.consumer.loop import Consumer
from services.chassis.consumer.offset_store import progress
from services.chassis.consumer.subscription import Outcome, Subscription
from services.chassis.database.database import Database
from services.chassis.kafka.admin import BrokerUnavailableError, KafkaAdmin
from services.chassis.kafka.group_consumer import GroupConsumer
from services.chassis.kafka.producer import Producer
from services.chassis.kafka.settings import KafkaSettings
from services.chassis.messages.clock import utc_now
from services.chassis.messages.record import Outgoing, Record
from services.chassis.telemetry.telemetry import telemetry
from services.contracts.catalog import Pattern, Rule, Topic

TOPIC = Topic(name="timestamps.v1", pattern=Pattern.NOTIFICATION, rule=Rule.ONCE, publishers=("clock",))
STATE = Path(".eventline/timestamps.db")


def produce(settings: KafkaSettings) -> None:
    """Publish the present time; returns when the broker has acknowledged it."""
    record = Outgoing(TOPIC.name, b"clock", utc_now().isoformat().encode(), [])
    Producer(settings, "clock").publish([record])


def tick(settings: KafkaSettings, stop: threading.Event) -> None:
    """Publish the present time each second until `stop` is set."""
    while not stop.wait(1):
        produce(settings)


def consume(settings: KafkaSettings, url: str, show: Callable[[str], None], stop: threading.Event) -> None:
    """Show each timestamp until `stop` is set. Whatever `handle` writes is committed together with the position."""

    def handle(_: Connection, records: Sequence[Record]) -> Outcome:
        for record in records:
            show((record.value or b"").decode())
        return Outcome()

    database = Database(url)
    progress.create(database.engine, checkfirst=True)
    join_group, broker = partial(GroupConsumer, settings), KafkaAdmin(settings, "readers")
    readers = Subscription("readers", (TOPIC.name,), handle, join_group, broker)
    Consumer(readers, database, telemetry("readers")).run(stop)


def main() -> None:
    """Publish a timestamp a second, and show what arrives. Ends with a message when there is no broker."""
    settings = KafkaSettings(kafka_bootstrap_servers=os.environ.get("BROKER", "127.0.0.1:19092"))
    try:
        KafkaAdmin(settings, "clock").ensure([TOPIC])
    except BrokerUnavailableError as error:
        sys.exit(f"{error}\nstart one with `make run` in another terminal, or name yours: BROKER=HOST:PORT")
    STATE.parent.mkdir(exist_ok=True)
    stop = threading.Event()
    show = partial(print, flush=True)
    reader = threading.Thread(target=consume, args=(settings, f"sqlite:///{STATE}", show, stop))
    clock = threading.Thread(target=tick, args=(settings, stop))  # not in this one: Ctrl-C would end the client's call
    reader.start()
    clock.start()
    with contextlib.suppress(KeyboardInterrupt):
        while clock.is_alive():
            clock.join(1)  # with a limit: another thread may get the signal, and this one must look
    stop.set()
    clock.join()
    reader.join()


if __name__ == "__main__":
    main()
