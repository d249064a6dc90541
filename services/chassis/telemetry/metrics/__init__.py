"""The metrics, each declared once with type, labels, unit and meaning, and the registry of a process.

`docs/metrics.md` is written from the declarations. Names follow OpenTelemetry's conventions where they have one.
"""

from types import ModuleType

from services.chassis.telemetry.metrics import consuming, kafka, publishing, serving, special
from services.chassis.telemetry.metrics.declared import Declared
from services.chassis.telemetry.metrics.registry import Metrics

__all__ = ["AREAS", "Declared", "Metrics", "every", "of"]

AREAS = (serving, publishing, consuming, kafka, special)


def every() -> list[Declared]:
    """Return every metric that there is."""
    return [one for area in AREAS for one in of(area)]


def of(area: ModuleType) -> list[Declared]:
    """Return the metrics of an area."""
    return [one for one in vars(area).values() if isinstance(one, Declared)]
