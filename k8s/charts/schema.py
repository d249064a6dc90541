"""Makes each chart's values.schema.json: what is not named there is refused, and so is what cannot work."""

from pathlib import Path
from typing import Any

import msgspec

from k8s.charts.settings import CHARTS, PROGRAMS, settings
from services.contracts.catalog import TOPICS

UMBRELLA = "eventline"
DIALECT = "https://json-schema.org/draft/2020-12/schema"
PARTITIONS = max(topic.partitions for topic in TOPICS)

Schema = dict[str, Any]


def read(path: Path) -> dict[str, Any]:
    """Return a file of YAML."""
    return msgspec.yaml.decode(path.read_bytes(), type=dict[str, Any])


def schemas() -> dict[str, Schema]:
    """Return the schema of each chart that has one made here, by the chart's name."""
    known = _known()
    return {chart: _service(chart, known) for chart in PROGRAMS} | {UMBRELLA: _umbrella(known)}


def _known() -> Schema:
    known = read(CHARTS / "service" / "schema.yaml")
    for kafka in (known["properties"]["kafka"], known["global"]["properties"]["kafka"]):
        kafka["properties"]["partitions"] = {"const": PARTITIONS}
    known["properties"]["replicas"]["maximum"] = PARTITIONS
    known["properties"]["autoscaling"]["properties"]["maxReplicas"]["maximum"] = PARTITIONS
    return known


def _service(chart: str, known: Schema) -> Schema:
    names = [name for name in read(CHARTS / chart / "values.yaml") if name != "settings"]
    # Helm passes `global` to the library chart under its name, `service`.
    properties = {name: known["properties"][name] for name in ["service", *names]}
    properties["settings"] = _object({one.value: one.schema for one in settings(chart)})
    return {"$schema": DIALECT, **_object(properties | {"global": known["global"]})}


def _umbrella(known: Schema) -> Schema:
    parts = [part["name"] for part in read(CHARTS / UMBRELLA / "Chart.yaml")["dependencies"]]
    # The values under a part's name are checked by the schema of its chart.
    return {"$schema": DIALECT, **_object({part: {"type": "object"} for part in parts} | {"global": known["global"]})}


def _object(properties: Schema) -> Schema:
    return {"type": "object", "additionalProperties": False, "properties": properties}
