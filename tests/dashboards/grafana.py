"""A page as Grafana would ask for it: All chosen in every variable, and the intervals that follow from the range."""

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
    """What is looked at: from when to when, in seconds since 1970, and how often Prometheus reads."""

    start: float
    end: float
    scrape: float

    @property
    def step(self) -> float:
        """Seconds from point to point."""
        return max(self.scrape, (self.end - self.start) / MOST_POINTS)

    def fill(self, expression: str, chosen: Mapping[str, str]) -> str:
        """Return an expression with all that it refers to. Raises KeyError for a variable that is not there."""
        known = {
            **chosen,
            "__rate_interval": f"{max(self.step + self.scrape, LEAST_INTERVALS * self.scrape):.0f}s",
            "__range": f"{self.end - self.start:.0f}s",
        }
        return REFERENCE.sub(lambda match: known[match[1]], expression)


def everything(variables: Sequence[Variable], span: Span, prometheus: Prometheus) -> dict[str, str]:
    """Return what All stands for in each variable, those before it put into its query. Raises what asking raises."""
    chosen: dict[str, str] = {}
    for variable in variables:
        selector = span.fill(variable.metric, chosen)
        chosen[variable.name] = one_of(prometheus.values(variable.label, selector, span.start, span.end))
    return chosen


def one_of(values: Sequence[str]) -> str:
    """Return a regular expression of values as it stands within a PromQL string, where a backslash is written twice."""
    escaped = [SPECIAL.sub(r"\\\\\1", value) for value in values]
    return escaped[0] if len(escaped) == 1 else f"({'|'.join(escaped)})"
