"""Colours: a service or a topic has the same one on every dashboard. Thresholds: green, orange, red.

Red is for a fault alone: no series has it by its place in a list, and a count of faults has it above zero only.
"""

import itertools
from collections.abc import Iterator, Sequence

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.models import dashboard as models

from services.contracts.catalog import DEAD_LETTERS
from services.contracts.service_list import LAG_EXPORTER, LAG_EXPORTER_SLOT, ROWS

GOOD, WARN, BAD, CALM, NONE = "green", "orange", "red", "light-blue", "gray"
ANY = 1e-9  # a threshold includes its own value, so zero needs a lowest value above it
SLOTS = (
    "blue",
    "purple",
    "yellow",
    "dark-orange",
    "orange",
    "green",
    "dark-blue",
    "light-purple",
    "light-yellow",
    "dark-green",
)
SERVICES = {row.name: SLOTS[row.slot] for row in ROWS} | {LAG_EXPORTER: SLOTS[LAG_EXPORTER_SLOT]}
TOPICS = {
    "user.events.v1": "blue",
    "user.state.v1": "light-blue",
    "user.notices.v1": "green",
    "notification.events.v1": "purple",
} | {topic.name: NONE for topic in DEAD_LETTERS.values()}
# For all other series, in their order; thirteen, so that few names of one panel share a colour.
PALETTE = (
    "green",
    "yellow",
    "blue",
    "orange",
    "purple",
    "light-blue",
    "light-green",
    "dark-yellow",
    "light-purple",
    "dark-green",
    "light-orange",
    "dark-blue",
    "dark-purple",
)
EVERYTHING, FAULTS = "/.*/", r"/[.]dlq[.]v\d+$|^failed$| 5\d\d$/"  # names of series that should stay at zero
DASHES = ((12, 8), (6, 6))  # of all lines but the first: equal ones show through the gaps of those drawn later

Steps = tuple[tuple[float | None, str], ...]


def rising(warn: float, bad: float) -> Steps:
    """Return thresholds of what should be small."""
    return ((None, GOOD), (warn, WARN), (bad, BAD))


def above(bad: float) -> Steps:
    """Return thresholds of what is wrong from a value on."""
    return ((None, GOOD), (bad, BAD))


NONE_ALLOWED = above(ANY)  # of what should not be there at all


def below(bad: float) -> Steps:
    """Return thresholds of what is wrong under a value."""
    return ((None, BAD), (bad, GOOD))


def falling(bad: float, warn: float) -> Steps:
    """Return thresholds of what should be large: bad below the first, all well from the second on."""
    return ((None, BAD), (bad, WARN), (warn, GOOD))


def thresholds(steps: Steps) -> builders.ThresholdsConfig:
    """Return thresholds as Grafana takes them."""
    found = [models.Threshold(value=value, color=color) for value, color in steps]
    return builders.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(found)


def lines(names: Sequence[str], *, dashed: bool) -> Iterator[tuple[str, list[models.DynamicConfigValue]]]:
    """Yield an expression for each series of a panel, and its look."""
    dashes = itertools.chain([()], itertools.cycle(DASHES))
    for name, color, dash in zip(names, itertools.cycle(PALETTE), dashes):
        fixed = {"mode": "fixed", "fixedColor": (SERVICES | TOPICS).get(name, color)}
        look = [models.DynamicConfigValue("color", fixed)]
        if dashed and dash:
            look.append(models.DynamicConfigValue("custom.lineStyle", {"fill": "dash", "dash": list(dash)}))
        yield f"/^{name}$/", look


def faults() -> list[models.DynamicConfigValue]:
    """Return the look of a count of faults: gray while it is zero all the time that is shown, else red."""
    steps = [{"value": value, "color": color} for value, color in ((None, NONE), (ANY, BAD))]
    return [
        models.DynamicConfigValue("color", {"mode": "thresholds", "seriesBy": "max"}),
        models.DynamicConfigValue("thresholds", {"mode": "absolute", "steps": steps}),
    ]
