"""Judges the results of panel queries: missing data, errors, series that stay zero."""

import math
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from k8s.dashboards.board import Board
from k8s.dashboards.panel import Good, Panel
from k8s.dashboards.panel_types import Bars, Heat
from tests.dashboards.grafana import Span, everything
from tests.support.prometheus import AskError, Prometheus, Series

SHOWN = 3  # series of a complaint


class Verdict(msgspec.Struct, frozen=True):
    """The verdict on a panel: has a query returned numbers, and a complaint for each wrong query."""

    board: str
    panel: str
    good: Good
    has_data: bool
    moved: bool
    complaints: Sequence[str]


def looked_at(board: Board, span: Span, prometheus: Prometheus, *, alone: bool = True) -> list[Verdict]:
    """Return the verdict on each panel of a dashboard.

    If the load was not alone, some series come from earlier use: then it is enough that some of them move.
    """
    asked = _Asked(span, everything(board.variables, span, prometheus), prometheus, alone)
    return [_of_panel(board, panel, asked) for panel in board.panels()]


def complaint(series: Sequence[Series], good: Good) -> str | None:
    """Return the problem of a result, None if there is none."""
    with_numbers = [one for one in series if any(map(math.isfinite, one.values))]
    if good is Good.EMPTY:
        return None
    if not with_numbers:
        return f"nothing but NaN: {_named(series)}" if series else "empty: no series"
    still = [one for one in series if not moves(one)]
    return f"stays zero: {_named(still)}" if still and good is Good.MOVES else None


def summary(verdicts: Sequence[Verdict]) -> str:
    """Return the totals in one line."""
    with_data = sum(verdict.has_data for verdict in verdicts)
    excused = sum(not verdict.has_data and not verdict.complaints for verdict in verdicts)
    errors = sum(bool(verdict.complaints) for verdict in verdicts)
    return f"panels {len(verdicts)}, with data {with_data}, allowed to be empty {excused}, errors {errors}"


class _Asked(msgspec.Struct, frozen=True):
    span: Span
    chosen: Mapping[str, str]
    prometheus: Prometheus
    alone: bool

    def answer(self, expression: str, *, instant: bool) -> list[Series]:
        self.prometheus.parse(expression)
        if instant:
            return self.prometheus.instant(expression, self.span.end)
        return self.prometheus.range(expression, self.span.start, self.span.end, self.span.step)


def _of_panel(board: Board, panel: Panel, asked: _Asked) -> Verdict:
    found: list[Series] = []
    complaints = []
    for query in panel.targets():
        expression = asked.span.fill(query.expression, asked.chosen)
        try:
            series = asked.answer(expression, instant=isinstance(panel, Bars))
        except AskError as error:
            complaints.append(_line(board, panel, expression, f"error: {error}"))
            continue
        found += series
        # Most buckets of a heat map are empty: only the others are judged.
        every = asked.alone and not isinstance(panel, Heat)
        if wrong := complaint(series if every else [one for one in series if moves(one)] or series, panel.good):
            complaints.append(_line(board, panel, expression, wrong))
    has_data = any(math.isfinite(value) for one in found for value in one.values)
    return Verdict(board.title, panel.title, panel.good, has_data, any(map(moves, found)), complaints)


def _line(board: Board, panel: Panel, expression: str, wrong: str) -> str:
    return f"{board.title} / {panel.title}\n    {expression}\n    {wrong}"


def moves(series: Series) -> bool:
    """Return True if a series has a value other than zero."""
    return any(value for value in series.values if math.isfinite(value))


def _named(series: Iterable[Series]) -> str:
    names = [repr(one) for one in series]
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
