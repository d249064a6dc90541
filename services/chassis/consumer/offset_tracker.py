"""Offset tracking of one consumer: start offsets at assignment, next offsets after a batch, and replay detection.

Offsets are not contiguous. The end of a partition may lie behind its last record, as transactions of other writers and
retention leave offsets without one: only the client knows that a partition has been read to its end.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Protocol

from sqlalchemy import Connection

from services.chassis.consumer import offset_store
from services.chassis.consumer.offset_store import Position
from services.chassis.database.database import Database
from services.chassis.messages.record import Record, TopicPartition

REMEDY = "restore it, or rebuild this service from nothing"


class TopicChangedError(Exception):
    """A topic is not the one that was read before; the message names the difference."""


class Broker(Protocol):
    """Topic ids and end offsets; see `chassis.kafka.admin.KafkaAdmin`."""

    def ids(self, names: Iterable[str]) -> dict[str, str]:
        """Return topic ids by name."""

    def ends(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """Return the end offsets."""


class OffsetTracker:
    """The offsets of one consumer: loaded from SQL at assignment, stored with each batch's effects."""

    def __init__(self, database: Database, broker: Broker, partitions: Mapping[str, int]) -> None:
        self._database = database
        self._broker = broker
        self._partitions = partitions
        self._topic_ids: dict[str, str] = {}
        self._positions: dict[TopicPartition, Position] = {}
        self._replay_ends: dict[tuple[str, int], int] = {}  # keyed by plain tuples: one lookup per replayed record
        self._ends: dict[TopicPartition, int] = {}  # reached since the assignment
        self._hinted: dict[TopicPartition, int] = {}

    @property
    def topic_ids(self) -> Mapping[str, str]:
        """The ids of the topics that were ever assigned."""
        return self._topic_ids

    @property
    def replaying(self) -> bool:
        """True until each partition read from its beginning has reached the end that it had at assignment."""
        return not self.have_read({TopicPartition(*key): end for key, end in self._replay_ends.items()})

    def have_read(self, ends: Mapping[TopicPartition, int]) -> bool:
        """Return True if everything below these ends is applied. Thread-safe."""
        return all(self.next(partition) >= end or partition in self._ends for partition, end in ends.items())

    def is_replay(self, record: Record) -> bool:
        """Return True for a record that was on the topic before its partition was first read."""
        if not self._replay_ends:
            return False
        return record.offset < self._replay_ends.get((record.topic, record.partition), 0)

    def next(self, partition: TopicPartition) -> int:
        """Return the next offset to read."""
        position = self._positions.get(partition)
        return position.next_offset if position else 0

    def keep_replays(self, assigned: Collection[TopicPartition]) -> None:
        """Drop the replay ends of partitions that were revoked."""
        self._replay_ends = {key: end for key, end in self._replay_ends.items() if TopicPartition(*key) in assigned}

    def start_offsets(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        """Return the stored offsets of newly assigned partitions. Raises TopicChangedError."""
        self._check_partition_counts(partitions)
        self._topic_ids |= self._broker.ids({partition.topic for partition in partitions})
        starts = self.reload(partitions)
        ends = self._broker.ends(partition for partition in partitions if partition not in starts)
        self._replay_ends |= {(partition.topic, partition.partition): end for partition, end in ends.items()}
        return starts

    def reload(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """Read positions from SQL again and return their offsets. Raises TopicChangedError."""
        with self._database.read() as connection:
            positions = offset_store.read(connection, partitions)
        for partition, position in positions.items():
            if position.topic_id != self._topic_ids[partition.topic]:
                raise TopicChangedError(
                    f"topic {partition.topic} has the id {self._topic_ids[partition.topic]}, but {position.topic_id} "
                    f"was read before: it was deleted and recreated; {REMEDY}"
                )
        for partition in partitions:
            for known in (self._positions, self._ends, self._hinted):
                known.pop(partition, None)
        self._positions |= positions
        return {partition: position.next_offset for partition, position in positions.items()}

    def _check_partition_counts(self, assigned: Iterable[TopicPartition]) -> None:
        for partition in assigned:
            expected = self._partitions.get(partition.topic)
            if expected is not None and partition.partition >= expected:
                raise TopicChangedError(
                    f"topic {partition.topic} has {partition.partition + 1} partitions or more on the broker, "
                    f"{expected} in the catalog: partitions were added, so keys have moved between partitions and "
                    "their order is lost; recreate the topic with its old number of partitions and publish it again"
                )

    def positions_after(self, records: Iterable[Record]) -> dict[TopicPartition, Position]:
        """Return the positions behind a batch. Raises TopicChangedError for an offset that is applied already."""
        ends: dict[tuple[str, int], int] = {}
        for record in records:
            key = (record.topic, record.partition)
            begin = ends.get(key)
            if begin is None:
                begin = self.next(TopicPartition(*key))
            if record.offset < begin:
                raise TopicChangedError(
                    f"{record.place} was read, but everything below {begin} is applied already: "
                    f"the topic was truncated or recreated; {REMEDY}"
                )
            ends[key] = record.offset + 1
        return {TopicPartition(*key): Position(self._topic_ids[key[0]], end) for key, end in ends.items()}

    def reached(self, ends: Mapping[TopicPartition, int]) -> None:
        """Take over ends that were reached with a batch whose effects are stored."""
        self._ends |= ends

    def hints(self, assigned: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """Return the offsets to commit to Kafka: where the next record may be, if the group's offset differs.

        Positions are returned at each assignment, as an operator may have reset the group's offsets, which are never
        read back.
        """
        hints = {partition: max(self.next(partition), self._ends.get(partition, 0)) for partition in assigned}
        changed = {partition: offset for partition, offset in hints.items() if offset != self._hinted.get(partition, 0)}
        self._hinted = hints
        return changed

    def store(self, connection: Connection, to: Mapping[TopicPartition, Position]) -> None:
        """Write positions within the caller's transaction. Raises OffsetConflictError."""
        offset_store.advance(connection, self._positions, to)

    def stored(self, to: Mapping[TopicPartition, Position]) -> None:
        """Take over positions after their transaction has committed."""
        self._positions |= to
