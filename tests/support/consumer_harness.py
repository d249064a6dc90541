"""A consumer with a fake broker, a real database, and a handler that inserts each value as a row."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
from sqlalchemy import Column, Connection, Integer, String, Table, insert, select
from sqlalchemy.exc import OperationalError

from services.chassis.consumer import offset_store
from services.chassis.consumer.held import held_metrics, letter_store, table
from services.chassis.consumer.held.held_records import HeldRecords
from services.chassis.consumer.held.letter_relay import LetterRelay, LetterTopic
from services.chassis.consumer.held.reasons import Refusal
from services.chassis.consumer.held.record import Held
from services.chassis.consumer.held.selection import Filters, find
from services.chassis.consumer.loop import Consumer
from services.chassis.consumer.subscription import GroupMember, Outcome, StartOffsets, Subscription
from services.chassis.database.database import Database, metadata
from services.chassis.messages.record import Record, TopicPartition
from services.chassis.telemetry.telemetry import Telemetry
from services.workbench.polling import until
from tests.support.builders import NOW, a_telemetry
from tests.support.fakes import FakeBroker, FakeClock, FakeLog, FakeMember

TOPIC, GROUP = "numbers.v1", "group"
P0, P1 = TopicPartition(TOPIC, 0), TopicPartition(TOPIC, 1)
PATIENCE_S = 20.0
effects = Table("test_effects", metadata, Column("id", Integer, primary_key=True), Column("value", String(20)))


class Outages(Database):
    """A database whose next `outages` transactions fail."""

    outages = 0

    @contextmanager
    def read(self) -> Iterator[Connection]:
        self._fail()
        with super().read() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        self._fail()
        with super().write() as connection:
            yield connection

    def _fail(self) -> None:
        if self.outages:
            self.outages -= 1
            raise OperationalError("any", {}, Exception("the database is unreachable"))


class World:
    """A broker, a database, a dead-letter topic and a handler that inserts each value as a row."""

    def __init__(self, url: str) -> None:
        self.database = Outages(url)
        self.broker = FakeBroker(partitions=2)
        self.broker.create(TOPIC, "id-of-the-topic")
        self.letters = FakeLog()
        self.clock = FakeClock(NOW)
        self.telemetry: Telemetry = a_telemetry(self.clock)
        self._observed: Telemetry | None = None
        self.batches: list[list[str]] = []
        self.before_commit: Callable[[], None] = lambda: None
        with self.database.write() as connection:
            metadata.create_all(connection, [offset_store.progress, effects, table.held])

    def write(self, *values: str, to: TopicPartition = P0) -> None:
        for value in values:
            self.broker.write(to, value.encode(), b"key", [])

    def handle(self, connection: Connection, records: Sequence[Record]) -> Outcome:
        """Insert each value; one that begins with "bad" is refused, "poison" cannot be applied."""
        values = [(record.value or b"").decode() for record in records]
        self.batches.append(values)
        for value in values:
            if value == "poison":
                raise ZeroDivisionError("division by zero")
            if not value.startswith("bad"):
                connection.execute(insert(effects).values(value=value))
        self.before_commit()
        bad = [record for record in records if (record.value or b"").startswith(b"bad")]
        refused = [Refusal(record, "invalid", "it is bad") for record in bad]
        return Outcome(refused, [(record, "user.sang", NOW) for record in records])

    def subscription(self, ceiling: int = 3, parked_keys_ceiling: int = 0, **changed: Any) -> Subscription:
        held = HeldRecords(self.clock, ceiling, parked_keys_ceiling, lambda: 0.0)
        if parked_keys_ceiling and self._observed is not self.telemetry:
            held_metrics.register(held, self.database, self.telemetry)
            self._observed = self.telemetry
        usual = Subscription(GROUP, (TOPIC,), self.handle, self.broker.join_group, self.broker, held)
        return msgspec.structs.replace(usual, **changed)

    def relay(self) -> LetterRelay:
        """Return a relay of letters; the test calls `publish`."""
        target = LetterTopic("group.dlq.v1", GROUP, lambda: True, self.letters.open_producer, threading.Event())
        return LetterRelay(target, self.database, self.telemetry)

    def held(self, **filters: Any) -> list[Held]:
        """Return the records that are held, without values and headers."""
        with self.database.read() as connection:
            return find(connection, Filters(**filters))

    def due(self) -> list[Held]:
        """Return the records whose letters are due."""
        with self.database.read() as connection:
            return letter_store.due(connection)

    def consumer(self, **changed: Any) -> tuple[Consumer, FakeMember]:
        """Return a consumer and its member; the test calls `process_batch`."""
        members: list[FakeMember] = []

        def join_group(group: str, topics: Sequence[str], starts: StartOffsets) -> GroupMember:
            members.append(self.broker.join_group(group, topics, starts))
            return members[-1]

        consumer = Consumer(self.subscription(join_group=join_group, **changed), self.database, self.telemetry)
        consumer._join()  # noqa: SLF001  # a test processes single batches, `run` all of them
        return consumer, members[0]

    def effects(self) -> list[str]:
        with self.database.read() as connection:
            return list(connection.execute(select(effects.c.value).order_by(effects.c.id)).scalars())

    def progress(self) -> dict[int, int]:
        with self.database.read() as connection:
            found = offset_store.read(connection, [P0, P1])
        return {place.partition: position.next_offset for place, position in found.items()}

    def metric(self, name: str, **labels: str) -> float:
        return self.telemetry.metrics.registry.get_sample_value(name, labels) or 0.0

    def applied(self) -> float:
        return self.metric("event_end_to_end_latency_seconds_count", type="user.sang")


def run_until(world: World, holds: Callable[[], bool], **changed: Any) -> None:
    """Run a consumer in a thread until a condition holds; raise its exception."""
    stop = threading.Event()
    raised: list[BaseException] = []

    def run() -> None:
        try:
            Consumer(world.subscription(**changed), world.database, world.telemetry).run(stop)
        except Exception as error:  # noqa: BLE001  # handed to the test
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        until("the condition of the test", lambda: bool(raised) or holds(), seconds=PATIENCE_S)
    finally:
        stop.set()
        thread.join(PATIENCE_S)
    assert not thread.is_alive()
    if raised:
        raise raised[0]
