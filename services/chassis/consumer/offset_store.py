"""How far each partition's effects are committed: the consumer's position, moved with the effects or not at all."""

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
    """The topic that was read, by its id, and the offset to read next."""

    topic_id: str
    next_offset: int


class LostRaceError(Exception):
    """Another consumer has moved the progress: this batch must be rolled back."""


PLACE = ("topic", "partition", "topic_id")
Positions = Mapping[TopicPartition, Position]


def read(connection: Connection, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, Position]:
    """Return the positions of those partitions that have one."""
    wanted = set(partitions)
    rows = connection.execute(select(progress).where(progress.c.topic.in_({p.topic for p in wanted})))
    found = {TopicPartition(r.topic, r.partition): Position(r.topic_id, r.next_offset) for r in rows}
    return {partition: position for partition, position in found.items() if partition in wanted}


def move(connection: Connection, have: Positions, to: Positions) -> None:
    """Move positions from what was last read or written. Raises LostRaceError where that is no longer so."""
    fresh: list[tuple[object, ...]] = []
    moved: list[tuple[object, ...]] = []
    for partition in sorted(to, key=lambda one: (one.topic, one.partition)):  # one order of locks for all
        place, position = (partition.topic, partition.partition, to[partition].topic_id), to[partition]
        if (old := have.get(partition)) is None:
            fresh.append((*place, position.next_offset))
        else:
            moved.append((position.next_offset, *place, old.next_offset))
    done = bulk.insert_new(connection, progress, fresh)
    done += bulk.change(connection, progress, "next_offset", (*PLACE, "next_offset"), moved)
    if done != len(to):
        places = ", ".join(f"{partition.topic}[{partition.partition}]" for partition in to)
        raise LostRaceError(f"{places}: not every position is where it was read")
