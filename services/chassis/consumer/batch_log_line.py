"""The one log line of a batch: how much of what it held, and what became of it. A batch of one says which it was."""

from collections.abc import Sequence

from services.chassis.consumer.subscription import Outcome
from services.chassis.messages.record import Record


def of(group: str, records: Sequence[Record], outcome: Outcome, seconds: float) -> dict[str, object]:
    """Return the fields of the line. Every record is one of applied, repeats, refused, not_subscribed and parked."""
    others = {
        "repeats": outcome.repeats.total(),
        "refused": len(outcome.refused),
        "not_subscribed": outcome.not_subscribed.total(),
        "parked": outcome.parked,
    }
    told = {"records": len(records), "applied": len(records) - sum(others.values()), **others}
    which = records[0].named if len(records) == 1 else {"offsets": _offsets(records)}
    return {"group": group, **which, **told, "duration_ms": round(seconds * 1000, 1)}


def _offsets(records: Sequence[Record]) -> dict[str, str]:
    """Return the first and the last offset in each partition."""
    last = {(record.topic, record.partition): record.offset for record in records}
    first = {(record.topic, record.partition): record.offset for record in reversed(records)}
    return {
        f"{topic}[{partition}]": f"{offset}-{last[topic, partition]}" for (topic, partition), offset in first.items()
    }
