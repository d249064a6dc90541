"""Consumer lag of each group, read from the broker alone: it works while the consumers are down.

A group's offsets at Kafka are hints that its members commit after their own transaction: a group that has just
died may be ahead of them by a batch.
"""

import contextlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

import msgspec
import structlog

from services.chassis.kafka.admin import BrokerRefusedError
from services.chassis.kafka.partition_reader import PartitionReader
from services.chassis.kafka.settings import KafkaSettings
from services.chassis.messages.clock import Clock
from services.chassis.messages.record import TopicPartition, partitions_of
from services.contracts import catalog

LOOK_SECONDS = 5.0
POLL_SECONDS = 0.1
BATCH = 1000

log = structlog.get_logger()
PerPartition = Mapping[TopicPartition, int]


class Lag(msgspec.Struct, frozen=True):
    """How many records of a topic a group has yet to consume, and the age in seconds of the oldest of them.

    `seconds` is 0 where nothing waits, None where the record could not be read in time.
    """

    group: str
    topic: str
    records: int
    seconds: int | None


class Broker(Protocol):
    """The queries; see `chassis.kafka.admin.KafkaAdmin`."""

    def begins(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """Return the offset of the oldest record that each partition still has."""

    def ends(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """Return the offset that the next record of each partition will get."""

    def committed(self, group: str, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """Return the offsets that a group committed to Kafka."""


def partitions() -> Sequence[TopicPartition]:
    """Return every partition of the catalog."""
    return _partitions(catalog.TOPICS)


def event_partitions() -> Sequence[TopicPartition]:
    """Return every partition of the topics of events: what audit records, and what commands lead to."""
    return _partitions(catalog.EVENT_TOPICS)


def groups() -> list[str]:
    """Return every group of the catalog: a reader's name there is its group's."""
    return sorted({reader for topic in catalog.TOPICS for reader in topic.readers})


def _partitions(topics: Sequence[catalog.Topic]) -> Sequence[TopicPartition]:
    return [place for topic in topics for place in partitions_of(topic.name, topic.partitions)]


def lags(broker: Broker, ages: Callable[[PerPartition], PerPartition]) -> list[Lag]:
    """Return the lag of every group of the catalog.

    `ages` is given the first unread offset of each partition and returns seconds, as `Ages` does, or nothing.
    Raises BrokerUnavailableError and TopicsError.
    """
    ends = broker.ends(partitions())
    begins = broker.begins(partitions())
    found = []
    for group in groups():
        mine = [topic.name for topic in catalog.TOPICS if group in topic.readers]
        read = broker.committed(group, [place for place in ends if place.topic in mine])
        unread = {p: max(read.get(p, 0), begins[p]) for p in ends if p.topic in mine and read.get(p, 0) < ends[p]}
        found += _of_group(group, mine, {p: ends[p] - offset for p, offset in unread.items()}, ages(unread))
    return found


class Ages:
    """Reads the first unread records and returns the seconds that have passed since each was written."""

    def __init__(self, settings: KafkaSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock

    def __call__(self, unread: PerPartition) -> PerPartition:
        """Return the age of the record at or behind each offset, as far as they can be read in time."""
        found: dict[TopicPartition, int] = {}
        deadline = time.monotonic() + LOOK_SECONDS
        if not unread:
            return found
        with contextlib.closing(PartitionReader(self._settings, "console-lag", unread)) as tail:
            while len(found) < len(unread) and not tail.at_end and time.monotonic() < deadline:
                try:
                    records = tail.poll(BATCH, POLL_SECONDS)
                except BrokerRefusedError as error:  # the right to describe is enough for the numbers of records
                    log.warning("ages of records are unknown", error=str(error))
                    return found
                for record in records:
                    place = TopicPartition(record.topic, record.partition)
                    age = round(self._clock().timestamp() - record.timestamp_ms / 1000)
                    found.setdefault(place, max(0, age))  # negative where the writer's clock is ahead of ours
        return found


def unasked(_: PerPartition) -> PerPartition:
    """Return no ages: reading them takes a moment."""
    return {}


def _of_group(group: str, names: list[str], records: PerPartition, ages: PerPartition) -> list[Lag]:
    found = []
    for name in names:
        waiting = sum(number for place, number in records.items() if place.topic == name)
        oldest = max((age for place, age in ages.items() if place.topic == name), default=None)
        found.append(Lag(group, name, waiting, oldest if waiting else 0))
    return found
