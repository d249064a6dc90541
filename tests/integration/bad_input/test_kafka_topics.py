"""The Kafka rows of BAD-INPUT about topics that are not what they were, on a real broker: a clear end, no reset."""

import threading
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Self

import pytest
from confluent_kafka.admin import AdminClient, NewPartitions  # type: ignore[attr-defined]  # re-exported, unmarked
from sqlalchemy import Connection, update

from services.chassis.consumer import offset_store
from services.chassis.consumer.loop import Consumer
from services.chassis.consumer.offset_tracker import TopicChangedError
from services.chassis.consumer.subscription import Outcome, Subscription
from services.chassis.database.database import Database
from services.chassis.kafka.admin import KafkaAdmin
from services.chassis.kafka.group_consumer import GroupConsumer, PartitionReadError
from services.chassis.messages.record import Record
from services.workbench.polling import until
from tests.support.broker import PATIENCE_S, a_group, a_topic, create, delete, settings, truncate, write
from tests.support.builders import a_telemetry


class Reader:
    """A consumer of a topic of its own, with its positions in a database."""

    def __init__(self, broker: str, database: Database, topic: str, partitions: int = 1) -> None:
        self._database = database
        self._applied = 0
        client = settings(broker)
        self._consumer = Consumer(
            Subscription(
                group=a_group(),
                topics=(topic,),
                handle=self._handle,
                join_group=partial(GroupConsumer, client),
                broker=KafkaAdmin(client, "test"),
                partitions={topic: partitions},
            ),
            database,
            a_telemetry(),
        )
        self._stop = threading.Event()
        self._raised: list[Exception] = []
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def await_applied(self, number: int) -> None:
        until("records or an error", lambda: self._raised or self._applied >= number)
        assert self._raised == []

    def await_end(self) -> Exception:
        """Wait until the consumer has ended by itself, and return why."""
        until("an error", lambda: self._raised)
        return self._raised[0]

    def _run(self) -> None:
        try:
            self._consumer.run(self._stop)
        except Exception as error:  # noqa: BLE001  # handed to the test
            self._raised.append(error)

    def _handle(self, _: Connection, records: Sequence[Record]) -> Outcome:
        self._applied += len(records)
        return Outcome()


@pytest.fixture
def positions(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path_factory.mktemp('reader')}/reader.db")
    offset_store.progress.create(database.engine)
    yield database
    database.close()


@pytest.fixture
def topic(broker: str, positions: Database) -> str:
    """A topic of which three records have been read."""
    topic = create(broker)
    write(broker, topic, b"1", b"2", b"3")
    with Reader(broker, positions, topic) as reader:
        reader.await_applied(3)
    return topic


def test_row_topic_deleted_and_made_anew(broker: str, positions: Database, topic: str) -> None:
    """Topic deleted and recreated: the consumer ends, naming both ids, though the new one has records at its place."""
    topics = KafkaAdmin(settings(broker), "test")
    old = topics.ids([topic])[topic]
    delete(broker, topic)
    until("the topic is created", lambda: topics.ensure([a_topic(name=topic)]))
    write(broker, topic, b"1", b"2", b"3", b"4")
    with Reader(broker, positions, topic) as reader:
        error = reader.await_end()
    assert isinstance(error, TopicChangedError)
    assert old in str(error)
    assert topics.ids([topic])[topic] in str(error)


def test_row_truncated(broker: str, positions: Database, topic: str) -> None:
    """Topic truncated above what was read: the consumer ends, naming the place, and does not jump over the gap."""
    write(broker, topic, b"4", b"5")
    truncate(broker, topic, before=4)
    with Reader(broker, positions, topic) as reader:
        error = reader.await_end()
    assert isinstance(error, PartitionReadError)
    assert f"{topic}[0]@" in str(error)


def test_row_offset_out_of_range(broker: str, positions: Database, topic: str) -> None:
    """Offset out of range, a position behind the log's end: the consumer ends, naming the place."""
    with positions.write() as connection:
        connection.execute(update(offset_store.progress).values(next_offset=99))
    with Reader(broker, positions, topic) as reader:
        error = reader.await_end()
    assert isinstance(error, PartitionReadError)
    assert f"{topic}[0]@99" in str(error)


def test_row_partitions_added(broker: str, positions: Database, topic: str) -> None:
    """Partitions added: the consumer ends while it runs, naming both counts."""
    with Reader(broker, positions, topic) as reader:
        write(broker, topic, b"4")
        reader.await_applied(1)
        admin = AdminClient({"bootstrap.servers": broker})
        admin.create_partitions([NewPartitions(topic, 2)])[topic].result(PATIENCE_S)
        error = reader.await_end()
    assert isinstance(error, TopicChangedError)
    assert f"topic {topic} has 2 partitions or more on the broker, 1 in the catalog" in str(error)
