"""The metrics: each declared once, with its type, labels, unit and meaning, and the registry of a process.

`docs/metrics.md` is written from the declarations. Names follow OpenTelemetry's conventions where they have one.
"""

from services.chassis.metrics import consuming, kafka, publishing, serving, special
from services.chassis.metrics.declared import Declared
from services.chassis.metrics.registry import Metrics

__all__ = ["Declared", "Metrics", "every"]


def every() -> list[Declared]:
    """Return every metric that there is, by name."""
    areas = (consuming, kafka, publishing, serving, special)
    found = [one for area in areas for one in vars(area).values() if isinstance(one, Declared)]
    return sorted(found, key=lambda one: one.name)
