"""Colours: a service or a topic has the same one on every dashboard. Thresholds: green, orange, red."""

from collections.abc import Iterator

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.models import dashboard as models

from services.contracts.catalog import DEAD_LETTERS
from services.contracts.service_list import LAG_EXPORTER, LAG_EXPORTER_SLOT, ROWS

GOOD, WARN, BAD, CALM = "green", "orange", "red", "light-blue"
SLOTS = ("blue", "purple", "yellow", "gray", "orange", "green", "red", "light-purple", "light-yellow", "light-red")
SERVICES = {row.name: SLOTS[row.slot] for row in ROWS} | {LAG_EXPORTER: SLOTS[LAG_EXPORTER_SLOT]}
TOPICS = {
    "user.events.v1": "blue",
    "user.state.v1": "light-blue",
    "user.notices.v1": "green",
    "notification.events.v1": "purple",
    "user.dlq.v1": "red",
    "notification.dlq.v1": "orange",
}
for _topic in DEAD_LETTERS.values():
    TOPICS.setdefault(_topic.name, "dark-orange")

Steps = tuple[tuple[float | None, str], ...]


def rising(warn: float, bad: float) -> Steps:
    """Return thresholds of what should be small."""
    return ((None, GOOD), (warn, WARN), (bad, BAD))


def above(bad: float) -> Steps:
    """Return thresholds of what is wrong from a value on."""
    return ((None, GOOD), (bad, BAD))


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


def overrides() -> Iterator[tuple[str, list[models.DynamicConfigValue]]]:
    """Yield the names of series, and the colour that those have."""
    for name, color in (SERVICES | TOPICS).items():
        yield name, [models.DynamicConfigValue("color", {"mode": "fixed", "fixedColor": color})]
