"""The reasons for which a record is held, and what follows from each; docs/held-records.md shows this table."""

import enum
from typing import Literal, get_args

import msgspec

from services.chassis.messages.record import Record

DeadReason = Literal[
    "unreadable_headers", "envelope", "key_mismatch", "unexpected_tombstone", "malformed", "invalid", "conflict"
]
ParkedReason = Literal["newer_version", "handler_failed", "behind"]
Reason = DeadReason | ParkedReason
DEAD_REASONS: tuple[DeadReason, ...] = get_args(DeadReason)


class State(enum.StrEnum):
    """The state of a held record. An open one waits for an operator or a newer version; a finished one is history."""

    PARKED = "parked"
    DEAD = "dead"
    APPLIED = "applied"
    DISCARDED = "discarded"


OPEN = (State.PARKED, State.DEAD)
LATER_RECORDS = {
    State.DEAD: "are applied; nothing waits for a dead record",
    State.PARKED: "are parked behind it, in order; other keys go on",
}


class Cause(msgspec.Struct, frozen=True):
    """A row of the table: a reason, the state of a record that is held for it, and its meaning for an operator."""

    reason: Reason
    state: State
    meaning: str
    remedy: str


_PUBLISH = "its publisher publishes it again, correctly; discard this one"
_DECODER = "if our decoder is wrong, correct it and retry; else its publisher publishes it again"
CAUSES = (
    Cause("unreadable_headers", State.DEAD, "The name of a header is not UTF-8.", _PUBLISH),
    Cause("envelope", State.DEAD, "The CloudEvents headers are missing or wrong, or contradict the value.", _DECODER),
    Cause("key_mismatch", State.DEAD, "The key of the record is not the subject of its event.", _PUBLISH),
    Cause("unexpected_tombstone", State.DEAD, "It has no value, on a topic without tombstones.", _PUBLISH),
    Cause("malformed", State.DEAD, "The value is not JSON.", _DECODER),
    Cause("invalid", State.DEAD, "The value is JSON without the shape of its type.", _DECODER),
    Cause("conflict", State.DEAD, "Its version was applied with another id or content.", _PUBLISH),
    Cause(
        "newer_version",
        State.PARKED,
        "A known type in a version that this program does not know.",
        "deploy the newer version, which retries it when it starts",
    ),
    Cause(
        "handler_failed",
        State.PARKED,
        "It is a valid event, and the handler raised an error.",
        "correct the handler or what it needs, and retry",
    ),
    Cause(
        "behind",
        State.PARKED,
        "An earlier record of its key is parked.",
        "retry the earlier one; this one follows",
    ),
)


class Refusal(msgspec.Struct, frozen=True):
    """A record that can never be applied. `detail` is for the operator."""

    record: Record
    reason: DeadReason
    detail: str


class Why(msgspec.Struct, frozen=True):
    """The reason for which a record is parked. `detail` is for the operator."""

    reason: ParkedReason
    detail: str


class CeilingError(Exception):
    """More records are refused than the ceiling allows: an operator has to find the cause."""
