"""Holding of records that a consumer cannot apply, in the transaction of its batch."""

import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence

from sqlalchemy import ColumnElement, Connection, false, func, or_, select, true, tuple_, update

from services.chassis.consumer.held import table
from services.chassis.consumer.held.ceiling import RefusalCeiling
from services.chassis.consumer.held.reasons import Refusal, State, Why
from services.chassis.consumer.held.record import Held, Place, key_of
from services.chassis.consumer.held.table import IS_OPEN, IS_PARKED, UNMARKED, held
from services.chassis.database import bulk
from services.chassis.database.statements import Statement
from services.chassis.messages.clock import Clock, to_micros
from services.chassis.messages.record import Record, TopicPartition

ROUND = 100  # records that are retried in one transaction
BEHIND = Why("behind", "behind an earlier one of its key")
ANY_PARKED = Statement(select(held.c.offset).where(IS_PARKED).limit(1))
ANY_REQUESTED = Statement(select(held.c.offset).where(held.c.again).limit(1))
BLOCKED = select(held.c.topic, held.c.key).where(IS_PARKED, bulk.one_of(held.c.key, "keys")).distinct()


class HeldRecords:
    """The held records of one consumer. Every method but `noted` and `used` works in the caller's transaction.

    `refused` is set after the commit of a refusal: its letter is due.
    """

    def __init__(
        self,
        clock: Clock,
        dead_letters_ceiling: int,
        parked_keys_ceiling: int,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.parked_keys_ceiling = parked_keys_ceiling
        self.refused = threading.Event()
        self._clock = clock
        self._ceiling = RefusalCeiling(dead_letters_ceiling, monotonic)

    @property
    def used(self) -> float:
        """The used share of the ceiling on dead letters."""
        return self._ceiling.used

    def park_behind(
        self, connection: Connection, records: Sequence[Record], topic_ids: Mapping[str, str]
    ) -> Sequence[Record]:
        """Park records whose key has parked ones already; return the others."""
        blocked = self._blocked(connection, records)
        if not blocked:
            return records
        accepted: list[Record] = []
        behind: list[Record] = []
        for record in records:
            (behind if (record.topic, key_of(record)) in blocked else accepted).append(record)
        table.insert(connection, [self._new(State.PARKED, record, topic_ids, BEHIND) for record in behind])
        return accepted

    def park(self, connection: Connection, record: Record, topic_ids: Mapping[str, str], why: Why) -> None:
        """Park a record."""
        table.insert(connection, [self._new(State.PARKED, record, topic_ids, why)])

    def refuse(self, connection: Connection, refusals: Sequence[Refusal], topic_ids: Mapping[str, str]) -> None:
        """Hold records that can never be applied. Raises CeilingError if they are too many."""
        self._ceiling.check(refusals)
        table.insert(connection, [self._new(State.DEAD, refusal.record, topic_ids, refusal) for refusal in refusals])

    def noted(self, number: int) -> None:
        """Count records whose refusal is committed."""
        if number:
            self._ceiling.count(number)
            self.refused.set()

    def request_parked(self, connection: Connection, partitions: Collection[TopicPartition]) -> None:
        """Request a retry of the parked records of partitions: this code may be newer than the one that parked."""
        connection.execute(update(held).where(IS_PARKED, _in(partitions)).values(again=True))

    def has_parked(self, connection: Connection) -> bool:
        """Return whether any record is parked."""
        return bool(ANY_PARKED.rows(connection))

    def requested(self, connection: Connection, partitions: Collection[TopicPartition]) -> list[Held]:
        """Return the records of partitions to retry next, each key's in order.

        A parked record is retried together with all parked ones of its key.
        """
        if not ANY_REQUESTED.rows(connection):
            return []
        queues = held.alias()
        with_queue = select(queues.c.topic, queues.c.key).where(queues.c.again == true(), queues.c.alone == false())
        marked = or_(held.c.again, IS_PARKED & tuple_(held.c.topic, held.c.key).in_(with_queue))
        query = select(held).where(IS_OPEN, marked, _in(partitions))
        rows = connection.execute(query.order_by(held.c.topic, held.c.partition, held.c.offset).limit(ROUND))
        return [table.from_row(row) for row in rows]

    def applied(self, connection: Connection, one: Held) -> bool:
        """Mark a record as applied. False if it is not held any more: somebody else applied or discarded it."""
        values = {"state": State.APPLIED.value, "finished_at": to_micros(self._clock()), **UNMARKED}
        return connection.execute(update(held).where(table.same(one), IS_OPEN).values(values)).rowcount == 1

    def refused_again(self, connection: Connection, one: Held, refusal: Refusal) -> None:
        """Hold a record as dead after a retry in which it was refused; a parked one gets a letter."""
        values: dict[str, object] = {"state": State.DEAD.value, "finished_at": None, **_failure(one)}
        if one.state is State.PARKED:
            values |= {"due": True, "attempts": 0}
        why = {"reason": refusal.reason, "detail": table.detail(refusal.detail)}
        connection.execute(update(held).where(table.same(one)).values(values | why))

    def failed_again(self, connection: Connection, one: Held, why: Why) -> None:
        """Store why a retry failed, and clear the requests of its key: what follows must not overtake it."""
        topic, key = one.place
        of_key = (held.c.topic == topic, held.c.key == key)
        connection.execute(update(held).where(held.c.again, *of_key).values(UNMARKED))
        values = {"reason": why.reason, "detail": table.detail(why.detail), **_failure(one)}
        connection.execute(update(held).where(table.same(one), IS_OPEN).values(values))

    def count_keys(self, connection: Connection) -> int:
        """Return the number of parked keys."""
        places = select(held.c.topic, held.c.key).where(IS_PARKED).distinct().subquery()
        return connection.scalar(select(func.count()).select_from(places)) or 0

    def _blocked(self, connection: Connection, records: Sequence[Record]) -> set[Place]:
        """Return those keys of a batch, by topic, that have parked records."""
        if not self.has_parked(connection):
            return set()
        keys = {key_of(record) for record in records}
        return {(row.topic, row.key) for row in connection.execute(BLOCKED, {"keys": keys})}

    def _new(self, state: State, record: Record, topic_ids: Mapping[str, str], why: Why | Refusal) -> Held:
        return Held(
            record=record,
            topic_id=topic_ids.get(record.topic, ""),
            state=state,
            reason=why.reason,
            detail=why.detail,
            since=self._clock(),
        )


def _in(partitions: Collection[TopicPartition]) -> ColumnElement[bool]:
    return tuple_(held.c.topic, held.c.partition).in_([(one.topic, one.partition) for one in partitions])


def _failure(one: Held) -> dict[str, object]:
    return {"attempts": one.attempts + 1, **UNMARKED}
