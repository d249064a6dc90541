"""Status of a running system at a moment, and the rates between two moments. Pure."""

from collections.abc import Mapping, Sequence

import msgspec

from services.console.lag import Lag
from services.workbench.faults.breaker import Status
from services.workbench.usage import MIB, Usage

REQUESTS = "http_server_request_duration_seconds_count"
RECORDS_SENT = "messaging_client_sent_messages_total"
RECORDS_CONSUMED = "messaging_client_consumed_messages_total"


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


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """The system as the live page shows it. Rates are per second, None while a service does not answer."""

    up: Mapping[str, bool]
    rates: Mapping[str, float | None]
    outbox: Mapping[str, float]
    lags: Mapping[str, int] | None
    mails: int
    mails_waiting: float
    faults: Status


def snapshot(before: Moment, now: Moment, faults: Status) -> Snapshot:
    """Return what changed between two moments, what waits at the second, and what is broken on purpose."""
    return Snapshot(
        up={name: bool(values) for name, values in now.metrics.items()},
        rates={
            "requests": _rate(before, now, "user", REQUESTS),
            "user sent": _rate(before, now, "user", RECORDS_SENT),
            "notification sent": _rate(before, now, "notification", RECORDS_SENT),
            "notification consumed": _rate(before, now, "notification", RECORDS_CONSUMED),
            "audit consumed": _rate(before, now, "audit", RECORDS_CONSUMED),
            "mails": (now.mails - before.mails) / max(0.1, now.at - before.at),
        },
        outbox={
            name: values["outbox_pending_events"]
            for name, values in now.metrics.items()
            if "outbox_pending_events" in values
        },
        lags=None if now.lags is None else _by_group(now.lags),
        mails=now.mails,
        mails_waiting=now.metrics.get("notification", {}).get("mail_intents", 0.0),
        faults=faults,
    )


def _rate(before: Moment, now: Moment, service: str, name: str) -> float | None:
    earlier, later, seconds = before.metrics[service], now.metrics[service], now.at - before.at
    if not earlier or not later or seconds <= 0:
        return None
    return max(0.0, later.get(name, 0.0) - earlier.get(name, 0.0)) / seconds  # a restart begins at 0


def _by_group(lags: Sequence[Lag]) -> dict[str, int]:
    groups: dict[str, int] = {}
    for lag in lags:
        groups[lag.group] = groups.get(lag.group, 0) + lag.records
    return groups


def rows(before: Moment, now: Moment) -> list[tuple[str, str]]:
    """Return what there is to say, by name."""
    seconds = now.at - before.at

    def rate(service: str, name: str) -> str:
        found = _rate(before, now, service, name)
        return "?/s" if found is None else f"{found:,.0f}/s"

    outbox = (f"{name} {_outbox(values)}" for name, values in now.metrics.items() if "outbox_pending_events" in values)
    return [
        ("requests", f"user {rate('user', REQUESTS)}"),
        ("records sent", f"user {rate('user', RECORDS_SENT)}, notification {rate('notification', RECORDS_SENT)}"),
        ("records consumed", ", ".join(f"{name} {rate(name, RECORDS_CONSUMED)}" for name in now.metrics)),
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
    return ", ".join(f"{group} {records:,}" for group, records in _by_group(lags).items())
