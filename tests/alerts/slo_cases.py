"""Cases of the SLO alerts: each window of each objective."""

from collections.abc import Callable, Mapping

from k8s.alerts.slos import OF_EVENTS, OF_HTTP, SLOS, Slo
from tests.alerts.case import WHERE, Case, rising

USER = f'job="user", {WHERE}'
PER_MINUTE = 6000  # of requests or events: so many that every share below is a whole number
QUIET_NIGHT = [(0, 20), (1, 9), (0, 10)]  # a request a minute

Phase = tuple[float, int]  # how many times too fast the budget is spent, and for how many minutes
Series = Mapping[str, str]


def cases() -> list[Case]:
    """Return the cases of every objective."""
    return [case for slo in SLOS for case in (*_paces(slo), *_quiet(slo))]


def _paces(slo: Slo) -> list[Case]:
    user = [USER]
    return [
        Case(
            alert=slo.alert,
            long="1h",
            story="20 times too fast for an hour fires until five minutes are fine again",
            series=_traffic(slo, (0, 60), (20, 60), (0, 20)),
            firing={60: [], 70: [], 115: user, 130: []},
        ),
        Case(
            alert=slo.alert,
            long="6h",
            story="8 times too fast for hours fires until half an hour is fine again",
            series=_traffic(slo, (0, 60), (8, 360), (0, 60)),
            firing={60: [], 120: [], 400: user, 415: user, 455: []},
        ),
        Case(
            alert=slo.alert,
            long="1d",
            story="4 times too fast for long fires until two hours are fine again",
            series=_traffic(slo, (0, 60), (4, 480), (0, 150)),
            firing={60: [], 535: user, 675: []},
        ),
    ]


def _quiet(slo: Slo) -> list[Case]:
    silent = [
        ("1h", "8 times too fast wakes nobody within the hour", _traffic(slo, (8, 120)), (60, 115)),
        ("1h", "what was bad some minutes ago is over", _traffic(slo, (0, 60), (100, 12), (0, 30)), (85, 100)),
        ("1h", "no traffic is no error", COUNTERS[slo.name]([(0, 60)], 0), (30, 55)),
        ("1h", "nine bad ones of a quiet night are too few", COUNTERS[slo.name](QUIET_NIGHT, 1), (25, 30)),
        ("6h", "4 times too fast fires by day, not by night", _traffic(slo, (4, 420)), (60, 415)),
        ("1d", "what is allowed is no alert", _traffic(slo, (1, 480)), (240, 475)),
    ]
    return [
        Case(alert=slo.alert, long=long, story=story, series=series, firing=dict.fromkeys(minutes, ()))
        for long, story, series, minutes in silent
    ]


def _traffic(slo: Slo, *phases: Phase) -> Series:
    bad = [(round(PER_MINUTE * slo.budget * burn), minutes) for burn, minutes in phases if minutes]
    return COUNTERS[slo.name](bad, PER_MINUTE)


def _of_answers(bad: list[tuple[int, int]], all_of_them: int) -> Series:
    def count(status: str) -> str:
        return f'{OF_HTTP}_count{{{USER}, http_route="/users", http_response_status_code="{status}"}}'

    good = [(all_of_them - number, minutes) for number, minutes in bad]
    return {count("201"): rising(*good), count("503"): rising(*bad)}


def _of_latency(metric: str, bound: str, labels: str) -> Callable[[list[tuple[int, int]], int], Series]:
    def series(bad: list[tuple[int, int]], all_of_them: int) -> Series:
        fast = [(all_of_them - number, minutes) for number, minutes in bad]
        whole = [(all_of_them, minutes) for _, minutes in bad]
        return {
            f'{metric}_bucket{{{USER}, {labels}, le="{bound}"}}': rising(*fast),
            f"{metric}_count{{{USER}, {labels}}}": rising(*whole),
        }

    return series


COUNTERS = {
    "api_availability": _of_answers,
    "api_latency": _of_latency(OF_HTTP, "1.0", 'http_route="/users", http_response_status_code="201"'),
    "event_to_effect_latency": _of_latency(OF_EVENTS, "5.0", 'type="user.state"'),
}
