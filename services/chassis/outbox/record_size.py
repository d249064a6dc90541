"""Refuses events whose records would exceed what client and broker accept: such an event could never be published.

The client compares the uncompressed record, the broker the compressed batch: what fits uncompressed fits both.
"""

from collections.abc import Iterable

from services.chassis.messages.event import NewEvent
from services.contracts.envelope import LARGEST_RECORD

HEADROOM = 2048  # key, headers and framing of a record whose ids and names are as long as they may be
LARGEST_VALUE = LARGEST_RECORD - HEADROOM


class EventTooLargeError(ValueError):
    """An event does not fit into a record; the message has its type, its size and the limit."""


def require_fit(events: Iterable[NewEvent]) -> None:
    """Check that data and state of each event fit into records of their own. Raises EventTooLargeError."""
    for event in events:
        size = max(len(event.data.encode()), len((event.state or "").encode()))
        if size > LARGEST_VALUE:
            raise EventTooLargeError(f"a {event.type} of {size} bytes is more than a record can hold ({LARGEST_VALUE})")
