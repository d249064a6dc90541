"""The moment of a build: the sequence number of its last event, or a time after which no event is applied."""

from collections.abc import Iterator
from datetime import datetime
from itertools import islice

import msgspec

from services.chassis.consumer.decoding import Event
from services.chassis.messages.clock import zoned
from services.contracts.envelope import LARGEST_SEQUENCE, Envelope, to_text


class TargetError(Exception):
    """The moment or the database cannot be meant; the message has what is allowed."""


class Target(msgspec.Struct, frozen=True):
    """A moment: one of the two. A time ends before the first event that is later."""

    sequence: int | None = None
    time: datetime | None = None

    def until(self, events: Iterator[Event]) -> Iterator[Event]:
        """Yield the events up to the moment. Raises TargetError if it is before the first event."""
        # No event behind the last one is read: it may not be there.
        return islice(events, self.sequence) if self.time is None else _until(events, self.time)

    def require(self, last: Envelope | None) -> Envelope:
        """Return the last event that was applied. Raises TargetError if the log ends before the moment."""
        if last is None:
            raise TargetError("the log has no event")
        if self.sequence is not None and last.sequence < self.sequence:
            raise TargetError(f"the log ends at sequence {last.sequence}: name one from 1 to {last.sequence}")
        return last


def target(text: str, now: datetime) -> Target:
    """Return the moment that a text names. Raises TargetError for anything else, and for a time in the future."""
    if text.isascii() and text.isdigit():
        if not 1 <= int(text[:20]) <= LARGEST_SEQUENCE:
            raise TargetError(f"sequence numbers are from 1 to {LARGEST_SEQUENCE}")
        return Target(sequence=int(text))
    forms = f"write a sequence number, or a time with its zone up to now, {to_text(now)}"
    try:
        time = zoned(text, "moment")
    except ValueError as error:
        raise TargetError(f"{text[:100]!r} {error}: {forms}") from None
    if time > now:
        raise TargetError(f"{text!r} is in the future: {forms}")
    return Target(time=time)


def _until(events: Iterator[Event], time: datetime) -> Iterator[Event]:
    for event in events:
        if event.envelope.time > time:
            if event.envelope.sequence == 1:
                first = to_text(event.envelope.time)
                raise TargetError(f"{time.isoformat()} is before the first event: name a time from {first} to now")
            return
        yield event
