"""Checks that docs/metrics.md has the present declarations, dashboards and rules."""

from collections import Counter

import pytest

from services.chassis.telemetry.metrics import Declared
from services.workbench.documents import metric_uses
from services.workbench.documents.metrics import PATH, every, text

of_every_metric = pytest.mark.parametrize("one", every(), ids=lambda one: str(one.name))


def test_the_catalogue_is_as_the_declarations_and_those_who_look_at_them_report() -> None:
    assert PATH.read_text() == text(), f"{PATH} differs from the code: run make docs"


def test_a_name_is_declared_once() -> None:
    assert [name for name, number in Counter(one.name for one in every()).items() if number > 1] == []


@of_every_metric
def test_buckets_rise_and_only_histograms_have_them(one: Declared) -> None:
    assert (one.kind == "histogram") == bool(one.buckets)
    assert list(one.buckets) == sorted(set(one.buckets))


def test_who_asks_for_a_recorded_series_looks_at_what_it_is_made_of() -> None:
    recorded = {"slo:errors": 'slo:requests{code="500"}', "slo:requests": "sum(rate(http_seconds_count[5m]))"}
    asked = [("Budget burns", "slo:errors > 1"), ("Other", "up == 0")]
    assert metric_uses.users("http_seconds", asked, recorded) == ["Budget burns"]


def test_a_metric_is_not_found_within_the_name_of_another() -> None:
    asked = [("Panel", "rate(mails_total[5m])"), ("Panel", "mails_total_other"), ("Second", "mails_total")]
    assert metric_uses.users("mails_total", asked, {}) == ["Panel", "Second"]
    assert metric_uses.users("mails", asked, {}) == []
