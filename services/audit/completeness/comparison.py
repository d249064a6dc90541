"""Comparison of the log's entries with the broker's records, partition by partition.

A partition is read only if it has fewer entries than offsets: compaction, aborted transactions and the ends of
transactions leave offsets without a record, and nothing but reading tells.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import msgspec
from sqlalchemy import ColumnElement, Connection, and_, func, select

from services.audit.store import entries
from services.chassis.messages.record import Record, TopicPartition

Offsets = Mapping[TopicPartition, int]


class Broker(msgspec.Struct, frozen=True):
    """The broker's offsets: the id of each topic, and the first and the end offset of each partition."""

    ids: Mapping[str, str]
    begins: Offsets
    ends: Offsets


class Shortfall(msgspec.Struct):
    """The records of a partition without an entry: those before the last entry, and those after it."""

    gap: int = 0
    behind: int = 0
    first_gap: int = 0
    first_behind: int = 0

    def add(self, offset: int, next_offset: int) -> None:
        """Count a record that has no entry."""
        if offset < next_offset:
            self.first_gap = self.first_gap if self.gap else offset
            self.gap += 1
        else:
            self.first_behind = self.first_behind if self.behind else offset
            self.behind += 1


def uncovered(connection: Connection, broker: Broker) -> list[TopicPartition]:
    """Return the partitions with fewer entries than the broker has offsets."""
    return [
        place
        for place, begin in broker.begins.items()
        if _count(connection, broker, place, begin) < broker.ends[place] - begin
    ]


def shortfalls(
    connection: Connection, broker: Broker, batches: Iterable[Sequence[Record]]
) -> dict[TopicPartition, Shortfall]:
    """Return what the log lacks of the records of some partitions, which come in the order of their offsets."""
    found: dict[TopicPartition, Shortfall] = defaultdict(Shortfall)
    next_offsets: dict[TopicPartition, int] = {}
    for records in batches:
        for place, offsets in _by_partition(records, broker.ends).items():
            if place not in next_offsets:
                next_offsets[place] = _next_offset(connection, broker, place)
            recorded = _recorded(connection, broker, place, offsets)
            for offset in offsets:
                if offset not in recorded:
                    found[place].add(offset, next_offsets[place])
    return dict(found)


def _by_partition(records: Sequence[Record], ends: Offsets) -> Mapping[TopicPartition, list[int]]:
    found: dict[TopicPartition, list[int]] = defaultdict(list)
    for record in records:
        place = TopicPartition(record.topic, record.partition)
        if record.offset < ends[place]:  # later ones came after the store's snapshot, perhaps
            found[place].append(record.offset)
    return found


def _count(connection: Connection, broker: Broker, place: TopicPartition, begin: int) -> int:
    within = (entries.c.offset >= begin) & (entries.c.offset < broker.ends[place])
    query = select(func.count()).select_from(entries).where(_of(broker, place), within)
    return connection.execute(query).scalar_one()


def _next_offset(connection: Connection, broker: Broker, place: TopicPartition) -> int:
    last = connection.scalar(select(func.max(entries.c.offset)).where(_of(broker, place)))
    return 0 if last is None else last + 1


def _recorded(connection: Connection, broker: Broker, place: TopicPartition, offsets: Sequence[int]) -> set[int]:
    within = (entries.c.offset >= offsets[0]) & (entries.c.offset <= offsets[-1])
    return set(connection.scalars(select(entries.c.offset).where(_of(broker, place), within)))


def _of(broker: Broker, place: TopicPartition) -> ColumnElement[bool]:
    return and_(entries.c.topic_id == broker.ids[place.topic], entries.c.partition == place.partition)
