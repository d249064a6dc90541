"""Fakes of the clock, the producer, and the broker with its group members."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from services.chassis.consumer.subscription import StartOffsets
from services.chassis.kafka.admin import BrokerRefusedError
from services.chassis.kafka.group_consumer import PartitionReadError
from services.chassis.messages.publisher import PublishError, RecordRefusedError
from services.chassis.messages.record import Headers, Outgoing, Record, TopicPartition


class FakeClock:
    """A clock that moves only by `move`."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        """Return the moment."""
        return self.now

    def move(self, seconds: float) -> None:
        """Move forwards, or back."""
        self.now += timedelta(seconds=seconds)


class FakeLog:
    """The records of all producers; the next `refuse` batches fail, batches with `refused_values` always."""

    def __init__(self) -> None:
        self.records: list[Outgoing] = []
        self.story: list[str] = []
        self.refuse = 0
        self.refused_values: set[bytes] = set()
        self._opened = 0

    def open_producer(self) -> "FakeProducer":
        """Open a producer and note it in the story."""
        self._opened += 1
        self.story.append(f"open {self._opened}")
        return FakeProducer(self, self._opened)

    def values(self) -> list[bytes | None]:
        """Return the values in the order in which they were written."""
        return [record.value for record in self.records]


class FakeProducer:
    """A producer that fails `refuse` times, and must not be used after a failure."""

    def __init__(self, log: FakeLog, number: int) -> None:
        self._log = log
        self._number = number
        self._usable = True

    def publish(self, records: Iterable[Outgoing]) -> Counter[str]:
        """Write records; a refused batch leaves its first record on the log, as a broker may."""
        assert self._usable, "a producer was used after its failure or its end"
        records = list(records)
        if self._log.refuse:
            self._log.refuse -= 1
            self._usable = False
            self._log.records += records[:1]
            self._log.story.append(f"fail {self._number}")
            raise PublishError("the broker is unreachable")
        if refused := {record.value for record in records} & self._log.refused_values:
            self._usable = False
            raise RecordRefusedError(f"INVALID_RECORD: {list(refused)}")
        self._log.records += records
        return Counter(record.topic for record in records)

    def poll(self) -> None:
        """Do nothing."""
        assert self._usable, "a producer was asked after its failure or its end"

    def close(self) -> None:
        """Close and note it in the story."""
        self._usable = False
        self._log.story.append(f"close {self._number}")


class FakeBroker:
    """Topics in memory, with ids and ends, and the members that read them."""

    def __init__(self, partitions: int = 1) -> None:
        self._partitions = partitions
        self._ids: dict[str, str] = {}
        self.begins: dict[TopicPartition, int] = {}
        self.logs: dict[TopicPartition, list[Record | None]] = {}  # None is an offset without a record
        self.members: list[FakeMember] = []
        self.hints: dict[TopicPartition, int] = {}
        self.refusals: list[str] = []  # each ends one member

    def create(self, topic: str, topic_id: str) -> None:
        """Create a topic, or recreate it: empty, with another id."""
        self._ids[topic] = topic_id
        for partition in self.partitions(topic):
            self.logs[partition], self.begins[partition] = [], 0

    def partitions(self, topic: str) -> list[TopicPartition]:
        """Return a topic's partitions."""
        return [TopicPartition(topic, number) for number in range(self._partitions)]

    def write(self, place: TopicPartition, value: bytes | None, key: bytes | None, headers: Headers) -> Record:
        """Append a record to a partition."""
        offset = self.begins[place] + len(self.logs[place])
        record = Record(place.topic, place.partition, offset, 1, 0, key, value, headers)
        self.logs[place].append(record)
        return record

    def leave_gap(self, place: TopicPartition) -> None:
        """Use an offset without a record, as the end of a transaction does."""
        self.logs[place].append(None)

    def truncate(self, place: TopicPartition, before: int) -> None:
        """Drop the records below an offset, as retention does."""
        self.logs[place] = self.logs[place][before - self.begins[place] :]
        self.begins[place] = before

    def ids(self, names: Iterable[str]) -> dict[str, str]:
        """Return topic ids by name."""
        return {name: self._ids[name] for name in names}

    def ends(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """Return the end offsets."""
        return {partition: self.begins[partition] + len(self.logs[partition]) for partition in partitions}

    def join_group(self, _: str, topics: Sequence[str], starts: StartOffsets) -> "FakeMember":
        """Return a new member that will own every partition of its topics."""
        member = FakeMember(self, starts)
        member.assign([place for topic in topics for place in self.partitions(topic)])
        self.members.append(member)
        return member


class FakeMember:
    """A group member with rebalances by the test, which take effect in `poll` as with the real one."""

    def __init__(self, broker: FakeBroker, starts: StartOffsets) -> None:
        self._broker = broker
        self._starts = starts
        self._coming: list[TopicPartition] = []
        self._at: dict[TopicPartition, int] = {}
        self._paused: set[TopicPartition] = set()
        self._reached: dict[TopicPartition, int] = {}
        self.waits_for = ""
        self.story: list[str] = []

    @property
    def assigned(self) -> frozenset[TopicPartition]:
        """The partitions that this member owns now."""
        return frozenset(self._at)

    def assign(self, partitions: Sequence[TopicPartition]) -> None:
        """Assign partitions at the next poll."""
        self._coming += partitions

    def revoke(self, partitions: Iterable[TopicPartition]) -> None:
        """Revoke partitions."""
        for partition in partitions:
            del self._at[partition]

    def has_joined(self) -> bool:
        """Return True after the assignment. Raises ConnectionError while the test makes it wait."""
        if self.waits_for:
            raise ConnectionError(self.waits_for)
        return bool(self._at)

    def poll(self, limit: int, timeout_s: float) -> list[Record]:  # noqa: ARG002  # nothing here takes time
        """Return available records. Raises PartitionReadError for an offset out of range, BrokerRefusedError once."""
        self.story.append("poll")
        if self._broker.refusals:
            raise BrokerRefusedError(self._broker.refusals.pop(0))
        self._assign_pending()
        batch: list[Record] = []
        for partition in sorted(self._at.keys() - self._paused, key=lambda p: (p.topic, p.partition)):
            batch += self._fetch(partition, limit - len(batch))
        return batch

    def take_ends(self) -> dict[TopicPartition, int]:
        """Return the ends that were reached since the last call."""
        ends = self._broker.ends(self._at.keys() - self._paused)
        reached = {place: end for place, end in ends.items() if self._at[place] == end != self._reached.get(place)}
        self._reached |= reached
        return reached

    def seek(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Set offsets, the beginning if none is given."""
        self.story.append("seek")
        self._reached.clear()
        for partition in self._at:
            self._at[partition] = offsets.get(partition, self._broker.begins[partition])

    def pause(self) -> None:
        """Stop fetching."""
        self.story.append("pause")
        self._paused = set(self._at)

    def resume(self) -> None:
        """Fetch again."""
        self.story.append("resume")
        self._paused.clear()

    def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Keep the offsets for the test."""
        self._broker.hints.update(offsets)

    def close(self) -> None:
        """Leave the group."""
        self.story.append("close")
        self._at.clear()

    def _assign_pending(self) -> None:
        if self._coming:
            coming, self._coming = self._coming, []
            starts = self._starts(coming)
            for partition in coming:
                self._reached.pop(partition, None)
            self._at |= {partition: starts.get(partition, self._broker.begins[partition]) for partition in coming}

    def _fetch(self, partition: TopicPartition, limit: int) -> list[Record]:
        log, begin, at = self._broker.logs[partition], self._broker.begins[partition], self._at[partition]
        if not begin <= at <= begin + len(log):
            raise PartitionReadError(f"{partition.topic}[{partition.partition}]@{at}: offset out of range")
        batch = log[at - begin : at - begin + limit]
        self._at[partition] = at + len(batch)
        return [record for record in batch if record is not None]
