"""The smallest producer and consumer on the chassis: timestamps, until Ctrl-C.

Needs a broker, such as that of `make run`: `.eventline/venv/bin/python -m examples.timestamps`.
"""

import os
import threading
from collections.abc import Callable, Sequence
from functools import partial

from sqlalchemy import Connection

from services.chassis.consumer.loop import Consumer
from services.chassis.consumer.offset_store import progress
from services.chassis.consumer.subscription import Outcome, Subscription
from services.chassis.database.database import Database
from services.chassis.kafka.admin import KafkaAdmin
from services.chassis.kafka.group_consumer import GroupConsumer
from services.chassis.kafka.producer import Producer
from services.chassis.kafka.settings import KafkaSettings
from services.chassis.messages.clock import utc_now
from services.chassis.messages.record import Outgoing, Record
from services.chassis.telemetry.telemetry import telemetry
from services.contracts.catalog import Pattern, Rule, Topic

TOPIC = Topic(name="timestamps.v1", pattern=Pattern.NOTIFICATION, rule=Rule.ONCE, publisher="clock")


def produce(settings: KafkaSettings) -> None:
    """Publish the present time; returns when the broker has acknowledged it."""
    record = Outgoing(TOPIC.name, b"clock", utc_now().isoformat().encode(), [])
    Producer(settings, "clock").publish([record])


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
    """Publish a timestamp a second, and show what arrives."""
    settings = KafkaSettings(kafka_bootstrap_servers=os.environ.get("BROKER", "127.0.0.1:19092"))
    KafkaAdmin(settings, "clock").ensure([TOPIC])
    stop = threading.Event()
    reader = threading.Thread(target=consume, args=(settings, "sqlite:///timestamps.db", print, stop))
    reader.start()
    try:
        while not stop.wait(1):
            produce(settings)
    except KeyboardInterrupt:
        stop.set()
        reader.join()


if __name__ == "__main__":
    main()
