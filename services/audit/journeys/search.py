"""Finds the commands that an id belongs to: a correlation id, a user, an event, or a mail."""

import uuid
from collections.abc import Iterator
from typing import Any

import msgspec
from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    LargeBinary,
    Row,
    Select,
    and_,
    case,
    func,
    literal,
    or_,
    select,
)

from services.audit.domain import LONGEST_TEXT, Entry, unpack_headers
from services.audit.journeys.facts import notification_fact
from services.audit.store import COLUMNS, HELD_VALUE, entries, entry_of
from services.contracts import catalog

MOST_RECORDS = 2000  # of one journey
MOST_CHOICES = 100
UUID_TIME_BITS = 80  # the bits after a UUIDv7's milliseconds (RFC 9562, section 5.7)
UUIDV7 = 7
# An event's time differs from its id's: usually by milliseconds, by more after a late commit or with a clock that was
# set back. An unknown id costs a look at all of these entries: 100 ms.
FARTHEST_US = 300_000_000
NEAREST = (1_000, 20_000)  # entries on each side of an id's time that are searched, first few, then many


class Choice(msgspec.Struct, frozen=True):
    """A command that touched a user: its correlation id, the number of its records, and the place of the first.

    Type, time and actor are those of its first fact on the user service's topic, or else of the first record.
    """

    correlation_id: str
    records: int
    first_position: int
    type: str | None
    time: int | None
    actor: str | None


class Found(msgspec.Struct, frozen=True):
    """The result of a search: the entries of one command, or a user's commands; neither if the id is unknown."""

    correlation_id: str = ""
    entries: list[Entry] = []
    choices: list[Choice] = []


def of_command(connection: Connection, correlation_id: str) -> list[Entry]:
    """Return the first entries with a correlation id, in the order of the log."""
    query = select(*COLUMNS).where(entries.c.correlation_id == correlation_id).order_by(entries.c.position)
    return [entry_of(connection, row) for row in connection.execute(query.limit(MOST_RECORDS))]


def of_user(connection: Connection, subject: str) -> list[Choice]:
    """Return the newest commands that touched a user, newest first."""
    first = func.min(entries.c.position)
    fact = func.min(case((entries.c.topic == catalog.USER_EVENTS.name, entries.c.position)))
    groups = (
        select(entries.c.correlation_id, func.count().label("records"), first.label("first_position"))
        .add_columns(func.coalesce(fact, first).label("named_by"))
        .where(entries.c.subject == subject, entries.c.correlation_id.is_not(None))
        .group_by(entries.c.correlation_id)
        .order_by(first.desc())
        .limit(MOST_CHOICES)
        .subquery()
    )
    columns = (groups.c.correlation_id, groups.c.records, groups.c.first_position)
    shown = (entries.c.type, entries.c.event_time, entries.c.actor)
    query = select(*columns, *shown).join(entries, entries.c.position == groups.c.named_by)
    found = connection.execute(query.order_by(groups.c.first_position.desc()))
    return [Choice(*row) for row in found]


def correlation_of(connection: Connection, given: str) -> str | None:
    """Return the correlation id of an event's id, a notification's id or a Message-ID; None if it is none of ours.

    No index is kept for it: these ids are UUIDv7, so the id itself gives the time of its event.
    """
    wanted = given.strip("<>").partition("@")[0]
    moment = created_us(wanted)
    if moment is None:
        return None
    for count in NEAREST:
        for side in (_after(moment, count), _before(moment, count)):
            for row in connection.execute(_naming(side, wanted, connection.dialect.name)):
                if wanted in _ids(row):
                    return str(row.correlation_id)
    return None


def created_us(text: str) -> int | None:
    """Return the time of a UUIDv7, in microseconds since 1970; None for another text."""
    try:
        parsed = uuid.UUID(text)
    except ValueError:
        return None
    return (parsed.int >> UUID_TIME_BITS) * 1000 if parsed.version == UUIDV7 else None


def _after(moment: int, count: int) -> Select[tuple[int]]:
    time, position = entries.c.event_time, entries.c.position
    near = select(position).where(time >= moment, time <= moment + FARTHEST_US)
    return near.order_by(time, position).limit(count)


def _before(moment: int, count: int) -> Select[tuple[int]]:
    time, position = entries.c.event_time, entries.c.position
    near = select(position).where(time < moment, time >= moment - FARTHEST_US)
    return near.order_by(time.desc(), position.desc()).limit(count)


def _naming(positions: Select[tuple[int]], wanted: str, dialect: str) -> Select[Any]:
    """Return a query of those entries whose headers, or a notification's value, contain a text."""
    near = positions.subquery()
    mail = and_(entries.c.topic == catalog.NOTIFICATION_EVENTS.name, contains(entries.c.value, wanted, dialect))
    columns = (entries.c.topic, entries.c.headers, HELD_VALUE, entries.c.correlation_id)
    found = select(*columns).join(near, near.c.position == entries.c.position)
    return found.where(or_(contains(entries.c.headers, wanted, dialect), mail), entries.c.correlation_id.is_not(None))


def contains(column: Column[bytes], wanted: str, dialect: str) -> ColumnElement[bool]:
    """Return the condition that bytes contain a text."""
    content = literal(wanted.encode(), LargeBinary)
    at = func.instr(column, content) if dialect == "sqlite" else func.position(content.op("IN")(column))
    return at > 0


def event_id(headers: bytes | None) -> str:
    """Return the event's id from the packed headers of an entry, empty if there is none."""
    found = dict(unpack_headers(headers) or ()).get("ce_id") or b""
    return found[:LONGEST_TEXT].decode(errors="replace")


def _ids(row: Row[Any]) -> Iterator[str]:
    yield event_id(row.headers)
    if fact := notification_fact(row.topic, row.headers, row.value):
        yield fact.notification_id


def find(connection: Connection, given: str) -> Found:
    """Look an id up: as a correlation id, as a user's, then as an event's or a mail's."""
    if "\0" in given:  # in no id, and PostgreSQL refuses it in a text
        return Found()
    if found := of_command(connection, given):
        return Found(given, found)
    if choices := of_user(connection, given):
        return Found(choices=choices)
    correlation_id = correlation_of(connection, given)
    return Found(correlation_id, of_command(connection, correlation_id)) if correlation_id else Found()
