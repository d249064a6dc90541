"""Unit test cases of alert rules, written as a file for `promtool test rules`."""

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from k8s.alerts.alert import Alert
from k8s.alerts.rules import alerts

WHERE = 'namespace="eventline"'


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """Series by name with a value each minute, and the labels of the alerts that fire at each minute.

    `long` selects one window of an SLO alert.
    """

    alert: str
    story: str
    series: Mapping[str, str]
    firing: Mapping[int, Sequence[str]]
    long: str = ""

    @property
    def fires(self) -> bool:
        """True if the alert fires at some minute."""
        return any(self.firing.values())

    @property
    def clears(self) -> bool:
        """True if the alert fires and clears later."""
        found = [bool(self.firing[minute]) for minute in sorted(self.firing)]
        return any(before and not after for before, after in itertools.pairwise(found))


def flat(*phases: tuple[float | str, int]) -> str:
    """Return the values of a gauge: phases of (value, minutes). `_` is no sample, `NaN` a number that is none."""
    # NaN cannot be repeated by promtool's `x`.
    return " ".join("NaN " * minutes if value == "NaN" else f"{value}x{minutes - 1}" for value, minutes in phases)


def rising(*phases: tuple[int, int]) -> str:
    """Return the values of a counter: phases of (rise a minute, minutes)."""
    value, parts = 0, []
    for rise, minutes in phases:
        parts.append(f"{value}+{rise}x{minutes - 1}")
        value += rise * minutes
    return " ".join(parts)


def document(rules: Path, cases: Sequence[Case], evaluated: str) -> dict[str, object]:
    """Return a file for `promtool test rules`; rules are evaluated in that interval."""
    return {"rule_files": [str(rules)], "evaluation_interval": evaluated, "tests": [_test(case) for case in cases]}


def _test(case: Case) -> dict[str, object]:
    of_pace = f', long="{case.long}"' if case.long else ""
    expression = f'ALERTS{{alertname="{case.alert}", alertstate="firing"{of_pace}}}'
    return {
        "name": f"{case.alert} {case.long}: {case.story}",
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in case.series.items()],
        "promql_expr_test": [
            {"expr": expression, "eval_time": f"{minute}m", "exp_samples": [_sample(case, labels) for labels in firing]}
            for minute, firing in case.firing.items()
        ],
    }


def _sample(case: Case, labels: str) -> dict[str, object]:
    alert = declared(case)
    own = "".join(f', {name}="{value}"' for name, value in alert.labels.items() if "{{" not in value)
    labelled = f'alertname="{alert.name}", alertstate="firing", severity="{alert.severity}"'
    return {"labels": f"ALERTS{{{labelled}{own}, {labels}}}", "value": 1}


def declared(case: Case) -> Alert:
    """Return the alert of a case."""
    return next(one for one in alerts() if one.name == case.alert and one.labels.get("long", "") == case.long)
