"""The source of a replica: the topics, read outside any group, folded up to the offsets that the live consumer stored.

Not further: the live consumer would take the records between for repeats, and leave out what else they lead to.
"""

import time
from collections import Counter, defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Protocol

from sqlalchemy import Connection, func, select

from services.chassis.consumer import offset_store
from services.chassis.consumer.held.table import held
from services.chassis.consumer.offset_store import Position
from services.chassis.consumer.subscription import Handler
from services.chassis.database.database import UNAVAILABLE
from services.chassis.kafka.admin import KafkaAdmin
from services.chassis.kafka.partition_reader import BEGINNING, PartitionReader
from services.chassis.kafka.settings import KafkaSettings
from services.chassis.messages.record import Record, TopicPartition, partitions_of
from services.chassis.projection.description import BATCH, RebuildError

SILENCE_S = 15.0
MOST_WAITING = 200_000  # records that the live consumer has not applied, kept in memory
CLIENT = "rebuild"
Positions = Mapping[TopicPartition, Position]


class Reader(Protocol):
    """Reads partitions from their beginning; see `chassis.kafka.partition_reader.PartitionReader`."""

    def poll(self, limit: int, timeout_s: float) -> list[Record]:
        """Return the available records, waiting only for the first."""

    def reached(self, partition: TopicPartition) -> int:
        """Return the offset below which everything was returned."""


class ReplicaSource:
    """Implements `description.Source`; the handler folds into the second set of tables."""

    def __init__(self, reader: Reader, topic_ids: Mapping[TopicPartition, str], handle: Handler) -> None:
        self._reader = reader
        self._topic_ids = topic_ids
        self._handle = handle
        self._waiting: defaultdict[TopicPartition, deque[Record]] = defaultdict(deque)
        self._refused: Counter[str] = Counter()
        self._held = 0
        self._received = time.monotonic()

    def lock(self, connection: Connection) -> None:
        """Lock nothing more: the consumer touches the replica before it stores its offsets."""

    def position(self, connection: Connection) -> Positions:
        """Return the stored offsets of the live consumer. Raises RebuildError for a recreated topic."""
        found = offset_store.read(connection, self._topic_ids)
        for partition, position in found.items():
            if position.topic_id != self._topic_ids[partition]:
                raise RebuildError(f"topic {partition.topic} was deleted and recreated: the replica is of the old one")
        topics = {partition.topic for partition in self._topic_ids}
        unfinished = select(func.count()).where(held.c.topic.in_(topics), held.c.finished_at.is_(None))
        self._held = connection.scalar(unfinished) or 0
        return found

    def remaining(self, to: Positions) -> int:
        """Return the number of offsets below the positions that are not applied."""
        return sum(max(0, position.next_offset - self._done(partition)) for partition, position in to.items())

    def fetch(self, to: Positions, wait_s: float) -> bool:
        """Receive records; return whether all below the positions are here. Raises RebuildError, ConnectionError."""
        if self._has(to):
            return True
        if sum(map(len, self._waiting.values())) > MOST_WAITING:
            raise RebuildError("the service's consumer is far behind the log: run it again when it has caught up")
        if records := self._reader.poll(BATCH, wait_s):
            for record in records:
                self._waiting[TopicPartition(record.topic, record.partition)].append(record)
        if records or self._has(to):
            self._received = time.monotonic()
        elif time.monotonic() - self._received > SILENCE_S:
            raise RebuildError(f"nothing received for {SILENCE_S:g} s: is the broker running?")
        return self._has(to)

    def apply(self, connection: Connection, to: Positions) -> int:
        """Apply received records below the positions."""
        ready = [record for partition, position in to.items() for record in self._below(partition, position)][:BATCH]
        if ready:
            self._fold(connection, ready)
        for record in ready:
            self._waiting[TopicPartition(record.topic, record.partition)].popleft()
        return len(ready)

    def notes(self) -> Iterator[str]:
        """Yield how many records the service holds, and how many could not be applied here, by reason."""
        if self._held:
            yield f"{self._held:,} records are parked or dead in the service; `console held` lists them"
        for reason, number in sorted(self._refused.items()):
            yield f"{number:,} records of the log could not be applied: {reason}"

    def _has(self, to: Positions) -> bool:
        return all(self._reader.reached(partition) >= position.next_offset for partition, position in to.items())

    def _done(self, partition: TopicPartition) -> int:
        waiting = self._waiting[partition]
        return waiting[0].offset if waiting else self._reader.reached(partition)

    def _below(self, partition: TopicPartition, position: Position) -> Iterator[Record]:
        for _, record in zip(range(BATCH), self._waiting[partition], strict=False):
            if record.offset < position.next_offset:
                yield record

    def _fold(self, connection: Connection, records: Sequence[Record]) -> None:
        """Apply a batch, or each record alone if the batch fails, as the service's consumer does."""
        try:
            with connection.begin_nested():
                outcome = self._handle(connection, records)
        except UNAVAILABLE:
            raise
        except Exception as error:  # noqa: BLE001  # any exception: the record that causes it is found one by one
            if len(records) == 1:
                self._refused[f"{type(error).__name__}, first at {records[0].place}"] += 1
                return
            for record in records:
                self._fold(connection, [record])
        else:
            self._refused.update(refusal.reason for refusal in outcome.refused)


@contextmanager
def opened(settings: KafkaSettings, topics: Mapping[str, int], handle: Handler) -> Iterator[ReplicaSource]:
    """Open the source of topics, given with their numbers of partitions. Raises ConnectionError, TopicsError."""
    ids = KafkaAdmin(settings, CLIENT).ids(topics)
    partitions = {place: ids[topic] for topic, count in topics.items() for place in partitions_of(topic, count)}
    reader = PartitionReader(settings, CLIENT, dict.fromkeys(partitions, BEGINNING))
    try:
        yield ReplicaSource(reader, partitions, handle)
    finally:
        reader.close()
