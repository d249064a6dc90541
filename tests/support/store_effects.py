"""Checks of the services' databases after a trial: no gap, no repeat."""

from sqlalchemy import text

from services.chassis.database.database import Database

ONCE = {
    "user": ("SELECT count(*) - count(DISTINCT login) FROM (SELECT key AS login FROM reservations) AS kept",),
    "notification": (
        # A suppressed mail that was restored has no recipient: it is not on the topic.
        "SELECT count(*) - count(DISTINCT coalesce(recipient, notification_id) || template || notice_id) FROM intents",
        "SELECT count(*) - count(DISTINCT source || event_id) FROM inbox",
        "SELECT count(*) FROM waiting",
    ),
}
GAPS = "SELECT count(*) - max(sequence), count(*) - count(DISTINCT event_id), 1 - min(sequence) FROM events"


def problems(url: str, service: str) -> dict[str, object]:
    """Return each query that found a gap or a repeat, with what it found; empty when all is well."""
    database = Database(url)
    with database.read() as connection:
        found: dict[str, object] = {query: connection.scalar(text(query)) for query in ONCE[service]}
        found[GAPS] = sum(abs(number) for number in connection.execute(text(GAPS)).one())
    database.close()
    return {query: value for query, value in found.items() if value}


def value(url: str, query: str) -> object:
    """Return the first value of a query's first row."""
    database = Database(url)
    with database.read() as connection:
        found = connection.scalar(text(query))
    database.close()
    return found
