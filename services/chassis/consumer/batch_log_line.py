"""The log line of a processed batch: the number of records by outcome. A batch of one record also names it."""

from collections.abc import Sequence

from services.chassis.consumer.subscription import Outcome
from services.chassis.messages.record import Record


def fields(group: str, records: Sequence[Record], outcome: Outcome, seconds: float) -> dict[str, object]:
    """Return the line's fields. Each record counts once: applied, repeats, refused, not_subscribed or parked."""
    not_applied = {
        "repeats": outcome.repeats.total(),
        "refused": len(outcome.refused),
        "not_subscribed": outcome.not_subscribed.total(),
        "parked": outcome.parked,
    }
    counts = {"records": len(records), "applied": len(records) - sum(not_applied.values()), **not_applied}
    place = records[0].named if len(records) == 1 else {"offsets": _offsets(records)}
    return {"group": group, **place, **counts, "duration_ms": round(seconds * 1000, 1)}


def _offsets(records: Sequence[Record]) -> dict[str, str]:
    """Return the first and the last offset in each partition."""
    last = {(record.topic, record.partition): record.offset for record in records}
    first = {(record.topic, record.partition): record.offset for record in reversed(records)}
    return {
        f"{topic}[{partition}]": f"{offset}-{last[topic, partition]}" for (topic, partition), offset in first.items()
    }
