"""The metrics of the chassis, each declared once with type, labels, unit and meaning, and the registry of a process.

A metric of one service only is declared in that service's `metrics.py`.

`docs/metrics.md` is written from the declarations. Names follow OpenTelemetry's conventions where they have one.
"""

from types import ModuleType

from services.chassis.telemetry.metrics import consuming, kafka, publishing, serving, storing
from services.chassis.telemetry.metrics.declared import Declared
from services.chassis.telemetry.metrics.registry import Metrics

__all__ = ["CHASSIS", "Declared", "Metrics", "declared_in"]

CHASSIS = (serving, publishing, consuming, storing, kafka)


def declared_in(area: ModuleType) -> list[Declared]:
    """Return the metrics that a module declares."""
    return [one for one in vars(area).values() if isinstance(one, Declared)]
