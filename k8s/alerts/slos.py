"""Service level objectives, and the burn rates of their alerts. DECISIONS has the figures behind it.

Burn rate 1 spends the budget of errors in exactly the period of the objective (30 days).
Source: Google's SRE Workbook, chapter 5, "Alerting on SLOs", multiwindow, multi-burn-rate alerts.
"""

import msgspec

from k8s.alerts.alert import Severity

WINDOW = "WINDOW"  # placeholder of a window in an expression
WINDOWS = ("5m", "30m", "1h", "2h", "6h", "1d")
FEWEST_ERRORS = 10  # below that many in the long window a share is not significant: a quiet night must not page

# With `min_version` a list of notifications waits by design, and answers 503 when the wait was in vain.
REQUESTS = 'http_route!="/notifications"'
ANSWERED = f'{REQUESTS}, http_response_status_code!~"5.."'
OF_HTTP = "http_server_request_duration_seconds"
OF_EVENTS = "event_end_to_end_latency_seconds"
ANSWER_S, EFFECT_S = 1.0, 5.0  # bounds of buckets


class Slo(msgspec.Struct, frozen=True, kw_only=True):
    """An objective. `bad` and `total` are rates per job and namespace, with WINDOW where the window goes."""

    name: str
    alert: str
    objective: float
    promise: str
    bad: str
    total: str

    @property
    def budget(self) -> float:
        """The share that may be bad."""
        return round(1 - self.objective, 6)


class Burn(msgspec.Struct, frozen=True):
    """An alert's pace: how many times faster than allowed, seen over a long and still over a short window."""

    factor: float
    long: str
    short: str
    severity: Severity


BURNS = (
    Burn(14.4, "1h", "5m", "page"),  # 2 % of the budget in an hour
    Burn(6, "6h", "30m", "page"),  # 5 % in six hours
    Burn(3, "1d", "2h", "ticket"),  # 10 % in a day
)


def _rate(series: str, labels: str = "") -> str:
    selected = f"{series}{{{labels}}}" if labels else series
    return f"sum by (job, namespace) (rate({selected}[{WINDOW}]))"


def _slower(metric: str, bound: float, *labels: str) -> str:
    fast = _rate(f"{metric}_bucket", ", ".join([*labels, f'le="{bound}"']))
    return f"{_rate(f'{metric}_count', ', '.join(labels))}\n- {fast}"


SLOS = (
    Slo(
        name="api_availability",
        alert="ApiAvailabilityBudgetBurn",
        objective=0.999,
        promise="99.9 % of requests are answered without an error of ours (5xx)",
        # A service that has never failed has no series of 5xx: zero then.
        bad=_rate(f"{OF_HTTP}_count", f'{REQUESTS}, http_response_status_code=~"5.."')
        + f"\nor 0 * {_rate(f'{OF_HTTP}_count', REQUESTS)}",
        total=_rate(f"{OF_HTTP}_count", REQUESTS),
    ),
    Slo(
        name="api_latency",
        alert="ApiLatencyBudgetBurn",
        objective=0.99,
        promise=f"99 % of the requests that are answered are answered within {ANSWER_S:g} s",
        bad=_slower(OF_HTTP, ANSWER_S, ANSWERED),
        total=_rate(f"{OF_HTTP}_count", ANSWERED),
    ),
    Slo(
        name="event_to_effect_latency",
        alert="EventToEffectBudgetBurn",
        objective=0.99,
        promise=f"99 % of events have their effect in a reader's store within {EFFECT_S:g} s",
        bad=_slower(OF_EVENTS, EFFECT_S),
        total=_rate(f"{OF_EVENTS}_count"),
    ),
)
