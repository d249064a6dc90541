"""Panels: the question in the title, the queries that answer it, and what the answer means to a person.

It also declares which answers are good while the system works under load; `make test-dashboards` holds it to that.
"""

import enum
from collections.abc import Callable
from typing import Literal

import msgspec
from grafana_foundation_sdk.builders import prometheus
from grafana_foundation_sdk.models import prometheus as models

from k8s.dashboards import runbooks
from k8s.dashboards.style import Steps

Form = Literal["range", "instant", "heatmap"]


class Good(enum.StrEnum):
    """Which answers are good under load."""

    MOVES = "moves"  # every series is there and other than zero at some time
    ZERO = "zero-is-good"  # a series must be there
    EMPTY = "may-be-empty"  # the series exist in some places only, or once something has happened


class Query(msgspec.Struct, frozen=True):
    """A PromQL expression, and how its series are named."""

    expression: str
    legend: str = ""

    def build(self, letter: str, form: Form) -> prometheus.Dataquery:
        """Return it as Grafana's SDK has it; a letter tells a panel's queries apart."""
        query = prometheus.Dataquery().ref_id(letter).expr(self.expression).legend_format(self.legend or "__auto")
        query = query.editor_mode(models.QueryEditorMode.CODE)
        if form == "instant":
            return query.instant()
        query = query.range().exemplar("_bucket" in self.expression)
        return query.format(models.PromQueryFormat.HEATMAP) if form == "heatmap" else query


def percentiles(expression: Callable[[float], str], *shares: float) -> tuple[Query, ...]:
    """Return a query for each share of all; p95 is what 95 % of them take at most."""
    return tuple(Query(expression(share), f"p{100 * share:g}") for share in shares)


class Panel(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of all panels. `normal` and `act` are for the viewer: what is usual, what to do if it is not."""

    title: str
    queries: tuple[Query, ...]
    unit: str
    normal: str
    act: str
    runbook: str = ""
    good: Good = Good.MOVES
    width: int = 12
    height: int = 8
    steps: Steps = ()

    def targets(self) -> tuple[Query, ...]:
        """Return the queries as they are sent."""
        return self.queries

    @property
    def description(self) -> str:
        """Return what Grafana shows behind the panel's i; it ends with what else than movement is a good answer."""
        runbook = f"\n\n**Runbook:** [{self.runbook}]({runbooks.link(self.runbook)})" if self.runbook else ""
        mark = "" if self.good is Good.MOVES else f"\n\n({self.good})"
        return f"**Normal:** {self.normal}\n\n**If not:** {self.act}{runbook}{mark}"
