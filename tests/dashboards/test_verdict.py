"""Verdicts on a panel's answer, and the variables of a page's expressions."""

import math

import pytest

from k8s.dashboards.board import Board, Row
from k8s.dashboards.panel import Good, Query
from k8s.dashboards.panel_types import Stat
from tests.dashboards.grafana import Span, one_of
from tests.dashboards.verdict import Verdict, complaint, looked_at, summary
from tests.support.prometheus import Prometheus, Series

AN_HOUR = Span(start=0, end=3600, scrape=5)
MOVING, STILL, UNKNOWN = (
    Series({"job": "moving"}, [(0, 0.0), (5, 1.0)]),
    Series({"job": "still"}, [(0, 0.0), (5, 0.0)]),
    Series({"job": "unknown"}, [(0, math.nan)]),
)


@pytest.mark.parametrize(
    ("series", "good", "complaint_"),
    [
        ([MOVING], Good.MOVES, None),
        ([MOVING, STILL], Good.MOVES, 'stays zero: {"job": "still"}'),
        ([MOVING, UNKNOWN], Good.MOVES, 'stays zero: {"job": "unknown"}'),
        ([UNKNOWN], Good.MOVES, 'nothing but NaN: {"job": "unknown"}'),
        ([], Good.MOVES, "empty: no series"),
        ([STILL], Good.ZERO, None),
        ([UNKNOWN], Good.ZERO, 'nothing but NaN: {"job": "unknown"}'),
        ([], Good.ZERO, "empty: no series"),
        ([], Good.EMPTY, None),
    ],
)
def test_an_answer_is_held_to_what_its_panel_declares(series: list[Series], good: Good, complaint_: str | None) -> None:
    assert complaint(series, good) == complaint_


def test_the_summary_counts_panels_and_not_their_queries() -> None:
    fine = Verdict("board", "fine", Good.MOVES, has_data=True, moved=True, complaints=[])
    excused = Verdict("board", "excused", Good.EMPTY, has_data=False, moved=False, complaints=[])
    wrong = Verdict("board", "wrong", Good.MOVES, has_data=False, moved=False, complaints=["one", "another"])
    assert summary([fine, excused, wrong]) == "panels 3, with data 1, allowed to be empty 1, errors 1"


def test_a_rate_has_four_intervals_of_prometheus_at_least_and_one_more_than_the_points() -> None:
    assert AN_HOUR.fill("rate(x[$__rate_interval])", {}) == "rate(x[20s])"
    assert Span(0, 86_400, 5).fill("[$__rate_interval] [$__range]", {}) == "[149s] [86400s]"


def test_a_variable_that_the_page_does_not_have_is_an_error() -> None:
    with pytest.raises(KeyError, match="topic"):
        AN_HOUR.fill('x{topic=~"$topic"}', {"service": "user"})


def test_all_is_every_value_with_its_dots_escaped() -> None:
    assert one_of(["user"]) == "user"
    assert one_of(["user.dlq.v1", "audit"]) == r"(user\\.dlq\\.v1|audit)"


class Remembering(Prometheus):
    """Answers everything with the same series."""

    def __init__(self, *series: Series) -> None:
        self._series = list(series)

    def range(self, expression: str, start: float, end: float, step: float) -> list[Series]:
        del expression, start, end, step
        return self._series

    def values(self, label: str, selector: str, start: float, end: float) -> list[str]:
        del selector, start, end
        return [label]

    def parse(self, expression: str) -> None:
        del expression


@pytest.mark.parametrize(("alone", "complaints"), [(True, 1), (False, 0)])
def test_a_series_that_others_left_behind_may_stay_zero(complaints: int, *, alone: bool) -> None:
    panel = Stat(title="a panel", queries=(Query("up"),), unit="short", normal=".", act=".")
    board = Board(uid="test", title="a board", question="?", rows=(Row("", (panel,)),))
    (verdict,) = looked_at(board, AN_HOUR, Remembering(MOVING, STILL), alone=alone)
    assert len(verdict.complaints) == complaints
