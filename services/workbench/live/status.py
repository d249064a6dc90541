"""Status of a running system at a moment, and the rates between two moments. Pure."""

from collections.abc import Mapping, Sequence

import msgspec

from services.console.lag import Lag
from services.workbench.usage import MIB, Usage


class Moment(msgspec.Struct, frozen=True, kw_only=True):
    """An observation at a time (seconds of a clock that only goes forward).

    `metrics` holds each service's sums over all labels, nothing of one that did not answer in time. `lags` is None
    while the broker does not answer.
    """

    at: float
    metrics: Mapping[str, Mapping[str, float]]
    lags: Sequence[Lag] | None
    mails: int
    used: Mapping[str, Usage]


def rows(before: Moment, now: Moment) -> list[tuple[str, str]]:
    """Return what there is to say, by name."""
    seconds = now.at - before.at

    def rate(service: str, name: str) -> str:
        earlier, later = before.metrics[service], now.metrics[service]
        if not earlier or not later or seconds <= 0:
            return "?/s"
        return f"{(later.get(name, 0.0) - earlier.get(name, 0.0)) / seconds:,.0f}/s"

    of_user = "http_server_request_duration_seconds_count", "messaging_client_sent_messages_total"
    consumed = "messaging_client_consumed_messages_total"
    outbox = (f"{name} {_outbox(values)}" for name, values in now.metrics.items() if "outbox_pending_events" in values)
    return [
        ("requests", f"user {rate('user', of_user[0])}"),
        ("records sent", f"user {rate('user', of_user[1])}, notification {rate('notification', of_user[1])}"),
        ("records consumed", ", ".join(f"{name} {rate(name, consumed)}" for name in now.metrics)),
        ("outbox", ", ".join(outbox)),
        ("lag in records", _lags(now.lags)),
        ("mails", f"{now.mails:,} in the sink, {(now.mails - before.mails) / seconds if seconds > 0 else 0:,.0f}/s"),
        ("memory", ", ".join(f"{name} {usage.resident / MIB:,.0f} MiB" for name, usage in now.used.items())),
    ]


def _outbox(values: Mapping[str, float]) -> str:
    return f"{values['outbox_pending_events']:,.0f} pending, oldest {values['outbox_oldest_age_seconds']:,.1f} s"


def _lags(lags: Sequence[Lag] | None) -> str:
    if lags is None:
        return "the broker does not answer"
    groups: dict[str, int] = {}
    for lag in lags:
        groups[lag.group] = groups.get(lag.group, 0) + lag.records
    return ", ".join(f"{group} {records:,}" for group, records in groups.items())
