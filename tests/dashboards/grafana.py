"""Expands panel queries as Grafana does: variables set to All, and the interval variables of a time range."""

import re
from collections.abc import Mapping, Sequence

import msgspec

from k8s.dashboards.board import Variable
from tests.support.prometheus import Prometheus

LEAST_INTERVALS = 4  # of Prometheus' own, in one $__rate_interval
MOST_POINTS = 600  # about a panel's width at 1280 pixels
REFERENCE = re.compile(r"\$(\w+)")
SPECIAL = re.compile(r"([\\^$*+?.()|\[\]{}])")


class Span(msgspec.Struct, frozen=True):
    """A time range in seconds since 1970, and the scrape interval in seconds."""

    start: float
    end: float
    scrape: float

    @property
    def step(self) -> float:
        """Seconds between two points."""
        return max(self.scrape, (self.end - self.start) / MOST_POINTS)

    def fill(self, expression: str, chosen: Mapping[str, str]) -> str:
        """Return an expression with its variables replaced. Raises KeyError for an unknown variable."""
        known = {
            **chosen,
            "__rate_interval": f"{max(self.step + self.scrape, LEAST_INTERVALS * self.scrape):.0f}s",
            "__range": f"{self.end - self.start:.0f}s",
        }
        return REFERENCE.sub(lambda match: known[match[1]], expression)


def everything(variables: Sequence[Variable], span: Span, prometheus: Prometheus) -> dict[str, str]:
    """Return the value of All for each variable; queries may use earlier variables. Raises AskError."""
    chosen: dict[str, str] = {}
    for variable in variables:
        selector = span.fill(variable.metric, chosen)
        chosen[variable.name] = one_of(prometheus.values(variable.label, selector, span.start, span.end))
    return chosen


def one_of(values: Sequence[str]) -> str:
    """Return a regular expression that matches the values, escaped for a PromQL string (double backslashes)."""
    escaped = [SPECIAL.sub(r"\\\\\1", value) for value in values]
    return escaped[0] if len(escaped) == 1 else f"({'|'.join(escaped)})"
