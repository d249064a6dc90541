"""What the log has of this publisher already, held against its store before anything is published.

A store that was restored from an old backup has lost events that readers have seen. It would give their sequence
numbers and versions to other events, and every reader would take one for a repeat of the other.
"""

from collections.abc import Sequence

from sqlalchemy import Connection

from services.chassis.messages.event import Published
from services.chassis.outbox import event_store


class DivergedLogError(Exception):
    """The log has events that this store does not have; the message names one, and what the store has instead."""


def require_own(connection: Connection, newest: Sequence[Published]) -> None:
    """Check that the store has every one of these events. Raises PastError."""
    stored = event_store.ids(connection, [one.sequence for one in newest])
    for one in sorted(newest, key=lambda one: one.sequence, reverse=True):
        if (here := stored.get(one.sequence)) != one.event_id:
            raise DivergedLogError(
                f"{one.place} holds event {one.event_id} under sequence {one.sequence}, this store has "
                f"{here or 'nothing'} there: it is older than the log (was an old backup restored?) and publishes "
                "nothing: restore a newer backup, one that has this event"
            )
