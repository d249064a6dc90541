"""What a reader does with a record it may have seen before: the topic's rule, as pure functions."""

import enum

import msgspec


class Verdict(enum.Enum):
    """Apply it, recognise it as a repeat, refuse it as a contradiction, or park it because others are missing."""

    APPLY = "apply"
    GAP = "gap"
    REPEAT = "repeat"
    CONFLICT = "conflict"


class Applied(msgspec.Struct, frozen=True):
    """What was applied: a version of a subject, by which event, with which content."""

    version: int
    event_id: str
    digest: bytes


def newest(have: Applied | None, incoming: Applied) -> Verdict:
    """The higher version wins and holes are normal (topics that carry whole states)."""
    if have is None or incoming.version > have.version:
        return Verdict.APPLY
    if incoming.version == have.version and incoming != have:
        return Verdict.CONFLICT
    return Verdict.REPEAT


def once(have: Applied | None, incoming: Applied) -> Verdict:
    """A record is unique by source and id, and so is a version of a subject (topics that carry single messages)."""
    if have is None:
        return Verdict.APPLY
    return Verdict.REPEAT if incoming == have else Verdict.CONFLICT


def contiguous(have: Applied | None, incoming: Applied) -> Verdict:
    """Versions of a subject rise by one from 1, and a gap means that something is lost (topics that are the truth)."""
    applied = have.version if have else 0
    if incoming.version == applied + 1:
        return Verdict.APPLY
    if incoming.version > applied:
        return Verdict.GAP
    return Verdict.CONFLICT if have and incoming.version == applied and incoming != have else Verdict.REPEAT
