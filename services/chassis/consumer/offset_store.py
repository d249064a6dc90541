"""Offset storage in SQL: the next offset of each partition, committed in the transaction of the batch's effects."""

from collections.abc import Iterable, Mapping

import msgspec
from sqlalchemy import BigInteger, Column, Connection, Integer, String, Table, select

from services.chassis.database import bulk
from services.chassis.database.database import metadata
from services.chassis.messages.record import TopicPartition

progress = Table(
    "progress",
    metadata,
    Column("topic", String(249), primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("topic_id", String(22), nullable=False),
    Column("next_offset", BigInteger, nullable=False),
)


class Position(msgspec.Struct, frozen=True):
    """The next offset to read, and the id of the topic incarnation that it belongs to."""

    topic_id: str
    next_offset: int


class OffsetConflictError(Exception):
    """Another consumer has advanced the offsets: this batch must be rolled back."""


KEY = ("topic", "partition", "topic_id")
Positions = Mapping[TopicPartition, Position]


def read(connection: Connection, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, Position]:
    """Return the positions of those partitions that have one."""
    wanted = set(partitions)
    rows = connection.execute(select(progress).where(progress.c.topic.in_({p.topic for p in wanted})))
    found = {TopicPartition(r.topic, r.partition): Position(r.topic_id, r.next_offset) for r in rows}
    return {partition: position for partition, position in found.items() if partition in wanted}


def advance(connection: Connection, previous: Positions, to: Positions) -> None:
    """Write new positions over the previous ones. Raises OffsetConflictError if the table has others."""
    inserts: list[tuple[object, ...]] = []
    updates: list[tuple[object, ...]] = []
    for partition in sorted(to, key=lambda p: (p.topic, p.partition)):  # one order of locks for all consumers
        key, position = (partition.topic, partition.partition, to[partition].topic_id), to[partition]
        if (old := previous.get(partition)) is None:
            inserts.append((*key, position.next_offset))
        else:
            updates.append((position.next_offset, *key, old.next_offset))
    written = bulk.insert_new(connection, progress, inserts)
    written += bulk.change(connection, progress, "next_offset", (*KEY, "next_offset"), updates)
    if written != len(to):
        places = ", ".join(f"{partition.topic}[{partition.partition}]" for partition in to)
        raise OffsetConflictError(f"{places}: the stored offsets are not those that this consumer has read")
