"""Compares the latest published events with the store before a relay publishes.

A store restored from an old backup has lost events that consumers have read. It would reuse their sequence numbers
and versions, and consumers would discard the new events as repeats.
"""

from collections.abc import Sequence

from sqlalchemy import Connection

from services.chassis.messages.event import Published
from services.chassis.outbox import event_store


class DivergedLogError(Exception):
    """The topic has an event that the store does not have. The message names it, and the event in its place."""


def require_own(connection: Connection, latest: Sequence[Published]) -> None:
    """Check that the store has each of these events. Raises DivergedLogError."""
    stored = event_store.ids(connection, [published.sequence for published in latest])
    for published in sorted(latest, key=lambda published: published.sequence, reverse=True):
        if (found := stored.get(published.sequence)) != published.event_id:
            raise DivergedLogError(
                f"{published.place} holds event {published.event_id} under sequence {published.sequence}, this store "
                f"has {found or 'nothing'} there: it is older than the log (is it empty, or an old backup?) and "
                "publishes nothing: stop the service and append what the log has since by `restore --after-backup`, or "
                "`restore` an empty database; docs/backup.md has the steps"
            )
