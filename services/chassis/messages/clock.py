"""Converts moments to microseconds. Time is a parameter everywhere; only bootstrap passes the real clock."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """Return the present moment in UTC."""
    return datetime.now(UTC)


def seconds_since(moment: datetime, now: datetime) -> float:
    """Return the seconds from a moment to now; 0 for a moment ahead, which another clock than ours has set."""
    return max(0.0, (now - moment).total_seconds())


def zoned(text: str, what: str = "time") -> datetime:
    """Return the moment that RFC 3339 names. Raises ValueError, whose message is a predicate of the text."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"is no {what}") from None
    if moment.tzinfo is None:
        raise ValueError("has no zone")
    return moment


def to_micros(moment: datetime) -> int:
    """Return microseconds since 1970."""
    return (moment - EPOCH) // MICROSECOND


def from_micros(micros: int) -> datetime:
    """Return the moment of microseconds since 1970."""
    return EPOCH + timedelta(microseconds=micros)
