"""How far each partition's effects are committed: the consumer's position, moved with the effects or not at all."""

from collections.abc import Iterable, Mapping

import msgspec
from sqlalchemy import BigInteger, Column, Connection, Integer, String, Table, select, update

from services.chassis.database import insert_or_ignore, metadata
from services.chassis.record import TopicPartition

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


Positions = Mapping[TopicPartition, Position]


def read(connection: Connection, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, Position]:
    """Return the positions of those partitions that have one."""
    wanted = set(partitions)
    rows = connection.execute(select(progress).where(progress.c.topic.in_({p.topic for p in wanted})))
    found = {TopicPartition(r.topic, r.partition): Position(r.topic_id, r.next_offset) for r in rows}
    return {partition: position for partition, position in found.items() if partition in wanted}


def move(connection: Connection, have: Positions, to: Positions) -> None:
    """Move positions from what was last read or written. Raises LostRaceError where that is no longer so."""
    for partition, position in to.items():
        row = {"topic": partition.topic, "partition": partition.partition, "topic_id": position.topic_id}
        if (old := have.get(partition)) is None:
            statement = insert_or_ignore(connection, progress).values(**row, next_offset=position.next_offset)
            # Without the option SQLAlchemy says -1 of an INSERT on PostgreSQL.
            moved = connection.execute(statement, execution_options={"preserve_rowcount": True}).rowcount
        else:
            same = [progress.c[name] == value for name, value in row.items()]
            where = update(progress).where(*same, progress.c.next_offset == old.next_offset)
            moved = connection.execute(where.values(next_offset=position.next_offset)).rowcount
        if moved != 1:
            raise LostRaceError(f"{partition.topic}[{partition.partition}] is no longer at {old}")
