"""Examples for Argo CD and Flux: fields that the resources have, our charts' names, values that the chart takes."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import msgspec
import pytest

from k8s.charts.schema import schemas
from k8s.charts.settings import CHARTS
from tests.support.command_blocks import ROOT

FILES = sorted((ROOT / "examples" / "gitops").rglob("*.yaml"))
CHART = msgspec.yaml.decode((CHARTS / "eventline" / "Chart.yaml").read_bytes())
TEXT = {"type": "string"}
FLAG = {"type": "boolean"}
DURATION = {"type": "string", "pattern": "^([0-9]+(\\.[0-9]+)?(ms|s|m|h))+$"}


def _object(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "properties": properties, "required": list(required)}


# Fields from the documents of Argo CD 3 and Flux 2, as far as the examples have them.
REMEDIATION = _object({"remediation": _object({"retries": {"type": "integer"}})})
SPECS = {
    ("argoproj.io/v1alpha1", "Application"): _object(
        {
            "project": TEXT,
            "source": _object(
                {
                    "repoURL": TEXT,
                    "chart": TEXT,
                    "path": TEXT,
                    "targetRevision": TEXT,
                    "helm": _object(
                        {
                            "releaseName": TEXT,
                            "valueFiles": {"type": "array", "items": TEXT},
                            "valuesObject": {"type": "object"},
                            "skipTests": FLAG,
                        }
                    ),
                },
                "repoURL",
                "targetRevision",
            )
            | {"oneOf": [{"required": ["chart"]}, {"required": ["path"]}]},
            "destination": _object({"server": TEXT, "namespace": TEXT}, "server", "namespace"),
            "syncPolicy": _object(
                {
                    "automated": _object({"prune": FLAG, "selfHeal": FLAG}),
                    "syncOptions": {
                        "type": "array",
                        "items": {"type": "string", "pattern": "^[A-Za-z]+=(true|false)$"},
                    },
                }
            ),
        },
        "project",
        "source",
        "destination",
    ),
    ("source.toolkit.fluxcd.io/v1", "OCIRepository"): _object(
        {
            "interval": DURATION,
            "url": {"type": "string", "pattern": "^oci://"},
            "ref": _object({"tag": TEXT}, "tag"),
            "layerSelector": _object({"mediaType": TEXT, "operation": {"enum": ["extract", "copy"]}}),
        },
        "interval",
        "url",
    ),
    ("helm.toolkit.fluxcd.io/v2", "HelmRelease"): _object(
        {
            "interval": DURATION,
            "timeout": DURATION,
            "releaseName": TEXT,
            "chartRef": _object({"kind": {"enum": ["OCIRepository", "HelmChart"]}, "name": TEXT}, "kind", "name"),
            "install": REMEDIATION,
            "upgrade": REMEDIATION,
            "valuesFrom": {
                "type": "array",
                "items": _object({"kind": {"enum": ["ConfigMap", "Secret"]}, "name": TEXT, "valuesKey": TEXT}),
            },
            "values": {"type": "object"},
        },
        "interval",
    ),
}


def documents() -> Iterator[tuple[Path, dict[str, Any]]]:
    for path in FILES:
        for document in path.read_text().split("\n---\n"):
            yield path, msgspec.yaml.decode(document)


EACH = pytest.mark.parametrize(
    "document", [pytest.param(one, id=f"{path.stem}-{one['kind']}") for path, one in documents()]
)


@EACH
def test_an_example_has_the_documented_fields(document: dict[str, Any]) -> None:
    spec = SPECS[document["apiVersion"], document["kind"]]
    metadata = _object({"name": TEXT, "namespace": TEXT}, "name", "namespace")
    whole = _object({"apiVersion": TEXT, "kind": TEXT, "metadata": metadata, "spec": spec}, "metadata", "spec")
    assert [str(error) for error in jsonschema_rs.Draft202012Validator(whole).iter_errors(document)] == []


@EACH
def test_its_values_are_of_our_chart(document: dict[str, Any]) -> None:
    spec = document["spec"]
    values = spec.get("values") or spec.get("source", {}).get("helm", {}).get("valuesObject") or {}
    validator = jsonschema_rs.Draft202012Validator(schemas()["eventline"])
    assert [str(error) for error in validator.iter_errors(values)] == []


def test_they_name_the_chart_its_version_and_its_files() -> None:
    text = "\n".join(path.read_text() for path in FILES)
    assert f"charts/{CHART['name']}\n" in text
    assert text.count(f"targetRevision: {CHART['version']}\n") == 1
    assert f"ref: {{tag: {CHART['version']}}}" in text
    assert (CHARTS / "eventline" / "values-production.yaml").exists()
