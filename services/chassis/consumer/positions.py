"""Where a consumer stands in each of its partitions, and whether they are still the partitions it read before."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Protocol

from sqlalchemy import Connection

from services.chassis.consumer import offset_store
from services.chassis.consumer.offset_store import Position
from services.chassis.database.database import Database
from services.chassis.messages.record import Record, TopicPartition

REMEDY = "restore it, or rebuild this service from nothing"


class TopicChangedError(Exception):
    """A topic is not the one that was read before; the message names both."""


class Broker(Protocol):
    """What is asked of the broker; see `chassis.kafka.admin.KafkaAdmin`."""

    def ids(self, names: Iterable[str]) -> dict[str, str]:
        """Return topic ids by name."""

    def ends(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """Return the end offsets."""


class Positions:
    """The positions of one consumer: read from SQL at assignment, moved with each batch's effects."""

    def __init__(self, database: Database, broker: Broker, partitions: Mapping[str, int]) -> None:
        self._database = database
        self._broker = broker
        self._partitions = partitions
        self._topic_ids: dict[str, str] = {}
        self._have: dict[TopicPartition, Position] = {}
        self._replay_ends: dict[tuple[str, int], int] = {}  # by plain tuples: each record of a replay is looked up

    @property
    def topic_ids(self) -> Mapping[str, str]:
        """The ids of the topics that were ever assigned."""
        return self._topic_ids

    @property
    def replaying(self) -> bool:
        """Whether a partition read from its beginning has not yet reached the end it had at the start."""
        return any(self.next(TopicPartition(*place)) < end for place, end in self._replay_ends.items())

    def is_replay(self, record: Record) -> bool:
        """Whether a record was on the log before its partition was first read."""
        if not self._replay_ends:
            return False
        return record.offset < self._replay_ends.get((record.topic, record.partition), 0)

    def next(self, partition: TopicPartition) -> int:
        """Return the offset to read next."""
        position = self._have.get(partition)
        return position.next_offset if position else 0

    def forget_all_but(self, assigned: Collection[TopicPartition]) -> None:
        """Wait no longer for the replay of partitions that were taken away."""
        self._replay_ends = {
            place: end for place, end in self._replay_ends.items() if TopicPartition(*place) in assigned
        }

    def starts(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        """Return where to read on in newly assigned partitions. Raises TopicChangedError."""
        self._refuse_added(partitions)
        self._topic_ids |= self._broker.ids({partition.topic for partition in partitions})
        starts = self.read_again(partitions)
        ends = self._broker.ends(partition for partition in partitions if partition not in starts)
        self._replay_ends |= {(partition.topic, partition.partition): end for partition, end in ends.items()}
        return starts

    def read_again(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """Return where to read on as SQL has it now. Raises TopicChangedError."""
        with self._database.read() as connection:
            positions = offset_store.read(connection, partitions)
        for partition, position in positions.items():
            if position.topic_id != self._topic_ids[partition.topic]:
                raise TopicChangedError(
                    f"topic {partition.topic} has the id {self._topic_ids[partition.topic]}, but {position.topic_id} "
                    f"was read before: it was deleted and made anew; {REMEDY}"
                )
        for partition in partitions:
            self._have.pop(partition, None)
        self._have |= positions
        return {partition: position.next_offset for partition, position in positions.items()}

    def _refuse_added(self, assigned: Iterable[TopicPartition]) -> None:
        for place in assigned:
            expected = self._partitions.get(place.topic)
            if expected is not None and place.partition >= expected:
                raise TopicChangedError(
                    f"topic {place.topic} has {place.partition + 1} partitions or more on the broker, {expected} "
                    "in the catalog: some were added, keys have moved between partitions and their order is lost; "
                    "make the topic anew with its old number and publish it again"
                )

    def after(self, records: Iterable[Record]) -> dict[TopicPartition, Position]:
        """Return the positions behind a batch. Raises TopicChangedError for a record that was passed before."""
        ends: dict[tuple[str, int], int] = {}
        for record in records:
            place = (record.topic, record.partition)
            begin = ends.get(place)
            if begin is None:
                begin = self.next(TopicPartition(*place))
            if record.offset < begin:
                raise TopicChangedError(
                    f"{record.place} was read, but everything below {begin} is applied already: "
                    f"the topic was truncated or made anew; {REMEDY}"
                )
            ends[place] = record.offset + 1
        return {TopicPartition(*place): Position(self._topic_ids[place[0]], end) for place, end in ends.items()}

    def reached(self, records: Iterable[Record]) -> dict[TopicPartition, int]:
        """Return the offset to read next in each partition of a batch."""
        places = {(record.topic, record.partition) for record in records}
        return {place: self.next(place) for place in (TopicPartition(*place) for place in places)}

    def move(self, connection: Connection, to: Mapping[TopicPartition, Position]) -> None:
        """Write positions within the caller's transaction. Raises LostRaceError."""
        offset_store.move(connection, self._have, to)

    def moved(self, to: Mapping[TopicPartition, Position]) -> None:
        """Take over positions whose transaction is committed."""
        self._have |= to
