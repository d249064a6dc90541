"""The alert rules are what the data says, and every metric that they name exists."""

import re

import pytest
import yaml  # type: ignore[import-untyped]  # it has no types of its own

from k8s.alerts.__main__ import RULES
from k8s.alerts.rules import alerts, text
from k8s.alerts.slos import BURNS, SLOS, WINDOWS
from k8s.alerts.units import duration, numbers
from services.workbench.documents.metrics import every

NOT_OURS = {"process_start_time_seconds", "kubelet_volume_stats_available_bytes", "kubelet_volume_stats_capacity_bytes"}
FUNCTIONS = {"min_over_time", "max_over_time", "last_over_time", "predict_linear"}
LABELS = re.compile(r"{[^}]*}|\b(by|on) \([^)]*\)|slo:\S+")


def test_the_committed_rules_are_those_of_the_data() -> None:
    assert RULES.read_text() == text(), "run `make docs`"


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("rate(x[5m]) > 2m", "rate(x[6s]) > 2.4"),
        ("predict_linear(x[6h], 1h) < 512MiB", "predict_linear(x[432s], 72) < 10737418"),
        ("slo:api_latency:burnrate1h > 14.4", "slo:api_latency:burnrate1h > 14.4"),
        ("x[10s]", "x[1s]"),
    ],
)
def test_windows_times_and_sizes_are_scaled_and_nothing_else(written: str, read: str) -> None:
    assert numbers(written, 0.02) == read


def test_a_duration_is_written_in_the_largest_unit_that_has_it_whole() -> None:
    assert [duration(one, 1) for one in ("90s", "60m", "24h", "1500ms")] == ["90s", "1h", "1d", "1500ms"]
    with pytest.raises(ValueError, match="not a duration"):
        duration("soon", 1)


def test_every_window_of_a_pace_is_recorded() -> None:
    assert {window for burn in BURNS for window in (burn.long, burn.short)} <= set(WINDOWS)


def test_a_bound_in_an_objective_is_a_bucket() -> None:
    buckets = {one.name: one.buckets for one in every()}
    bounds = [bound for slo in SLOS for bound in re.findall(r'(\w+)_bucket{[^}]*le="([0-9.]+)"', slo.bad)]
    assert len(bounds) == 2
    assert [bound for metric, bound in bounds if float(bound) not in buckets[metric]] == []


def test_every_metric_that_a_rule_names_exists() -> None:
    known = {one.name for one in every()} | NOT_OURS
    expressions = [rule["expr"] for group in yaml.safe_load(text())["groups"] for rule in group["rules"]]
    named = {name for one in expressions for name in re.findall(r"\b[a-z]+_[a-z_]+\b", LABELS.sub("", one))}
    named = {re.sub("_(bucket|count)$", "", name) for name in named} - FUNCTIONS
    assert "outbox_oldest_age_seconds" in named
    assert named - known == set()


def test_every_alert_reports_something_of_its_own() -> None:
    texts = [(alert.summary, alert.description, alert.labels.get("long")) for alert in alerts()]
    assert len(set(texts)) == len(texts)
