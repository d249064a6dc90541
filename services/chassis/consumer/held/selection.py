"""Selection of held records by operators: filters, lists, requests of a retry, and discards.

The consumer that owns the partition retries; discarding needs no consumer.
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec
from sqlalchemy import ColumnElement, Connection, and_, func, or_, select, update

from services.chassis.consumer.held import table
from services.chassis.consumer.held.reasons import State
from services.chassis.consumer.held.record import Held, Place
from services.chassis.consumer.held.table import IS_OPEN, IS_PARKED, UNMARKED, held
from services.chassis.database.text import storable
from services.chassis.messages.clock import to_micros

IN_ORDER = (held.c.topic, held.c.partition, held.c.offset)
Of = tuple[str, int, int]  # topic, partition, offset


class Filters(msgspec.Struct, frozen=True):
    """Conditions that a record must all fulfil. `since` and `until` bound the time at which it was held."""

    states: tuple[State, ...] = (State.PARKED, State.DEAD)
    cause: str | None = None
    topic: str | None = None
    key: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    records: tuple[Of, ...] = ()


class Count(msgspec.Struct, frozen=True):
    """How many records of a state are held for a reason. `oldest` is in microseconds since 1970."""

    state: str
    reason: str
    number: int
    requested: int
    oldest: int


def find(connection: Connection, filters: Filters, limit: int | None = None) -> list[Held]:
    """Return records in the order of topic, partition and offset, without values and headers."""
    listed = [column for column in held.c if column.name not in {"value", "headers"}]
    query = select(*listed).where(_matches(filters)).order_by(*IN_ORDER).limit(limit)
    return [table.from_row(row) for row in connection.execute(query)]


def whole(connection: Connection, filters: Filters) -> list[Held]:
    """Return records as `find` does, with values and headers."""
    query = select(held).where(_matches(filters)).order_by(*IN_ORDER)
    return [table.from_row(row) for row in connection.execute(query)]


def count(connection: Connection, filters: Filters) -> list[Count]:
    """Return the numbers of records by state and reason."""
    requested = func.count().filter(held.c.again)
    query = select(held.c.state, held.c.reason, func.count(), requested, func.min(held.c.since))
    groups = (held.c.state, held.c.reason)
    rows = connection.execute(query.where(_matches(filters)).group_by(*groups).order_by(*groups))
    return [Count(*row) for row in rows]


def left_out(connection: Connection, rows: Sequence[Held]) -> list[Held]:
    """Return the open records that precede selected ones of their keys and are not selected themselves."""
    last: dict[Place, int] = {}
    for one in rows:
        last[one.place] = max(one.record.offset, last.get(one.place, 0))
    selected = {one.record.place for one in rows}
    earlier = find(connection, Filters()) if last else []
    return [one for one in earlier if one.record.place not in selected and one.record.offset < last.get(one.place, 0)]


def request_retry(connection: Connection, rows: Sequence[Held], *, alone: bool = False) -> int:
    """Request a retry of records that are still held. Returns their number.

    Those of a parked key's queue belong together. With `alone` a record does not wait for earlier ones of its key.
    """
    values = {"again": True, "alone": alone}
    return sum(connection.execute(update(held).where(table.same(one), IS_OPEN).values(values)).rowcount for one in rows)


def discard(connection: Connection, rows: Sequence[Held], now: datetime) -> int:
    """Discard records that are still held, and request a retry of what waits behind parked ones."""
    values = {"state": State.DISCARDED.value, "finished_at": to_micros(now), **UNMARKED}
    done = 0
    for one in rows:
        done += connection.execute(update(held).where(table.same(one), IS_OPEN).values(values)).rowcount
    for topic, key in {one.place for one in rows if one.state is State.PARKED}:
        behind = (IS_PARKED, held.c.topic == topic, held.c.key == key)
        connection.execute(update(held).where(*behind).values(again=True))
    return done


def states(connection: Connection, rows: Sequence[Held]) -> list[Held]:
    """Return records as they are now, without values and headers."""
    return [now for one in rows for now in find(connection, Filters(tuple(State), records=(_of(one),)))]


def count_requested(connection: Connection) -> int:
    """Return the number of records whose retry is requested."""
    return connection.scalar(select(func.count()).where(held.c.again)) or 0


def _of(one: Held) -> Of:
    return one.record.topic, one.record.partition, one.record.offset


def _matches(filters: Filters) -> ColumnElement[bool]:
    conditions: list[ColumnElement[bool]] = [held.c.state.in_([state.value for state in filters.states])]
    for column, value in ((held.c.reason, filters.cause), (held.c.topic, filters.topic), (held.c.key, filters.key)):
        if value is not None:
            conditions.append(column == storable(value))
    if filters.since is not None:
        conditions.append(held.c.since >= to_micros(filters.since))
    if filters.until is not None:
        conditions.append(held.c.since < to_micros(filters.until))
    if filters.records:
        conditions.append(or_(*map(_is, filters.records)))
    return and_(*conditions)


def _is(of: Of) -> ColumnElement[bool]:
    topic, partition, offset = of
    return and_(held.c.topic == topic, held.c.partition == partition, held.c.offset == offset)
