"""Finds the entries of an event by its id: an event is logged several times if it has several records."""

from sqlalchemy import ColumnElement, Connection, select, true

from services.audit.journeys.search import FARTHEST_US, contains, created_us, event_id
from services.audit.store import entries


def positions(connection: Connection, wanted: str) -> list[int]:
    """Return the positions of all entries of an event in order: those near the time of its id, or else anywhere.

    There is no index on the id. If the id is no UUIDv7, or no event near its time has it, every entry is read.
    """
    if not wanted:  # every text contains it, and the headers of a foreign record may have no id
        return []
    moment = created_us(wanted)
    if moment is not None:
        time = entries.c.event_time
        if near := _having(connection, wanted, time.between(moment - FARTHEST_US, moment + FARTHEST_US)):
            return near
    return _having(connection, wanted, true())


def _having(connection: Connection, wanted: str, within: ColumnElement[bool]) -> list[int]:
    query = select(entries.c.position, entries.c.headers).where(within)
    named = query.where(contains(entries.c.headers, wanted, connection.dialect.name)).order_by(entries.c.position)
    with connection.execute(named.execution_options(yield_per=100)) as rows:
        return [position for position, headers in rows if event_id(headers) == wanted]
