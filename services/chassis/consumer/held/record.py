"""A held record as a value, without its table: services that hold nothing do not declare it."""

from datetime import datetime

import msgspec

from services.chassis.consumer.held.reasons import State
from services.chassis.database.text import escaped
from services.chassis.messages.record import Record

Place = tuple[str, str]  # topic, key
ATTEMPTS = 3  # retries of a dead record that may fail before an operator must force another


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """A record that could not be applied, as it was read, with the reason and its state.

    `retry` is set while a retry is requested, `alone` if it must not wait for earlier records of its key. `attempts`
    counts retries that failed. `published_at` is the time of its dead letter.
    """

    record: Record
    topic_id: str
    state: State
    reason: str
    detail: str
    since: datetime
    retry: bool = False
    alone: bool = False
    attempts: int = 0
    published_at: datetime | None = None
    finished_at: datetime | None = None

    @property
    def place(self) -> Place:
        """The topic and the key, whose order it is part of."""
        return self.record.topic, key_of(self.record)

    @property
    def is_exhausted(self) -> bool:
        """Return whether so many retries of a dead record have failed that another must be forced."""
        return self.state is State.DEAD and self.attempts >= ATTEMPTS


def key_of(record: Record) -> str:
    """Return a record's key as text, distinct for distinct keys."""
    return escaped(record.key or b"")
