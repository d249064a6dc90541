"""The catalogue of metrics, docs/metrics.md: what the declarations say, and who looks at each."""

from collections.abc import Iterable, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from services.chassis.telemetry.metrics import CHASSIS, Declared, declared_in
from services.contracts.service_list import JOBS
from services.workbench.documents import metric_uses

OWN = tuple(f"services.{name}.metrics" for name in JOBS)
AREAS = (*CHASSIS, *(import_module(name) for name in OWN if find_spec(name)))
PATH = Path(__file__).parents[3] / "docs/metrics.md"
HEAD = """# Metrics
Written by `make docs` from the declarations in `services/chassis/telemetry/metrics` and each service's
`metrics.py`, the dashboards and the alert rules.

On port 9464 of each service at `/metrics`, as text or as OpenMetrics (then with exemplars, where traces are on).
`job` is the service of a series, and `console` for the lag probe. Beside these there are `process_*` (processor
time, memory, open files, start). No label holds an id, a key or an offset.
"""


def text() -> str:
    """Return the whole document."""
    return "\n".join([HEAD, *(_area(area) for area in AREAS), _lookers()])


def every() -> list[Declared]:
    """Return every metric of the system."""
    return [one for area in AREAS for one in declared_in(area)]


def _area(area: ModuleType) -> str:
    title, *_ = (area.__doc__ or "").splitlines()
    head = ("Metric", "Type", "Labels", "Unit", "Of", "Meaning")
    return f"## {title.rstrip('.')}\n{_table(head, map(_row, declared_in(area)))}"


def _row(one: Declared) -> Sequence[str]:
    kind = one.kind + (f", {one.buckets[0]:g} to {one.buckets[-1]:g}" if one.buckets else "")
    labels = "<br>".join(f"`{label}`" for label in one.labels)
    return (f"`{one.name}`", kind, labels, one.unit, ", ".join(one.services), one.meaning)


def _lookers() -> str:
    panels, alerts, recorded = metric_uses.panels(), metric_uses.alerts(), metric_uses.recorded()
    rows = [
        (f"`{one.name}`", *("<br>".join(metric_uses.users(one.name, of, recorded)) for of in (panels, alerts)))
        for one in every()
    ]
    return f"## Who looks at them\n{_table(('Metric', 'Panels', 'Alerts'), rows)}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n" for cells in lines)
