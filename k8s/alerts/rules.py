"""The rules file: recording rules of each SLO, its alerts, and the plain alerts. Pure."""

from collections.abc import Iterable, Sequence
from typing import Any

import yaml  # type: ignore[import-untyped]  # it has no types of its own

from k8s.alerts import audit_alerts, event_alerts, infrastructure_alerts, service_alerts
from k8s.alerts.alert import Alert
from k8s.alerts.slos import BURNS, FEWEST_ERRORS, SLOS, WINDOW, WINDOWS, Burn, Slo
from k8s.alerts.units import duration, numbers

SLO_EVERY = "30s"  # a day's window is long to read
HEADER = """\
# Written by `python -m k8s.alerts` (make docs) from the data in k8s/alerts: change that.
# promtool check rules and promtool test rules are run on it by tests/alerts.
"""
PLAIN = {
    "eventline-services": service_alerts.ALERTS,
    "eventline-events": event_alerts.ALERTS,
    "eventline-audit": audit_alerts.ALERTS,
    "eventline-surroundings": infrastructure_alerts.ALERTS,
}
Rule = dict[str, Any]


def alerts() -> list[Alert]:
    """Return every alert; those of an SLO are one for each pace, under one name."""
    plain = [alert for group in PLAIN.values() for alert in group]
    return [_burning(slo, burn) for slo in SLOS for burn in BURNS] + plain


def text(scale: float = 1.0) -> str:
    """Return the rules file. A scale below 1 shortens every window and wait, and shrinks every size, for tests."""
    groups = [_group("eventline-slos", _of_slos(scale), every=duration(SLO_EVERY, scale))]
    groups += [_group(name, [_told(alert, scale) for alert in plain]) for name, plain in PLAIN.items()]
    written = yaml.dump({"groups": groups}, Dumper=_Dumper, sort_keys=False, width=1000, allow_unicode=True)
    return f"{HEADER}{written}"


def _of_slos(scale: float) -> list[Rule]:
    recorded = [rule for slo in SLOS for window in WINDOWS for rule in _recorded(slo, window)]
    burning = [_burning(slo, burn) for slo in SLOS for burn in BURNS]
    scaled = [{**rule, "expr": numbers(rule["expr"], scale)} for rule in recorded]
    return scaled + [_told(alert, scale) for alert in burning]


def _recorded(slo: Slo, window: str) -> Iterable[Rule]:
    bad, total = (expression.replace(WINDOW, window) for expression in (slo.bad, slo.total))
    ratio = f"slo:{slo.name}:error_ratio{window}"
    yield {"record": ratio, "expr": f"({bad})\n/ {total}"}
    yield {"record": f"slo:{slo.name}:burnrate{window}", "expr": f"{ratio} / {slo.budget:g}"}
    if window in {burn.long for burn in BURNS}:
        yield {"record": f"slo:{slo.name}:errors{window}", "expr": f"{ratio} * {total} * {window}"}


def _burning(slo: Slo, burn: Burn) -> Alert:
    rate = f"slo:{slo.name}:burnrate"
    return Alert(
        name=slo.alert,
        when=f"{rate}{burn.long} > {burn.factor:g}\nand {rate}{burn.short} > {burn.factor:g}\n"
        f"and slo:{slo.name}:errors{burn.long} >= {FEWEST_ERRORS}",
        lasting="0s",
        severity=burn.severity,
        labels={"slo": slo.name, "long": burn.long, "short": burn.short},
        summary='{{ $labels.job }} spends its budget of errors {{ printf "%.1f" $value }} times too fast',
        description=f"Promised: {slo.promise}. Over {burn.long} and still over {burn.short} "
        f"{{{{ $labels.job }}}} breaks it more than {burn.factor:g} times as often as allowed.",
    )


def _told(alert: Alert, scale: float) -> Rule:
    rule: Rule = {"alert": alert.name, "expr": numbers(alert.when, scale)}
    if alert.lasting != "0s":
        rule["for"] = duration(alert.lasting, scale)
    rule["labels"] = {"severity": alert.severity, **alert.labels}
    rule["annotations"] = {
        "summary": alert.summary,
        "description": alert.description,
        "runbook_url": alert.runbook,
    }
    return rule


def _group(name: str, rules: Sequence[Rule], every: str | None = None) -> dict[str, Any]:
    return {"name": name, **({"interval": every} if every else {}), "rules": list(rules)}


class _Dumper(yaml.SafeDumper):  # type: ignore[misc]  # untyped
    """Writes texts of several lines as such."""


def _lines(dumper: Any, value: str) -> Any:  # PyYAML's
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Dumper.add_representer(str, _lines)
