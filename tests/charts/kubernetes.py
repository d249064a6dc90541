"""Schemas of Kubernetes, and the documented fields of the custom resources that the charts render."""

from functools import cache
from typing import Any

import jsonschema_rs
import kubernetes_validate  # type: ignore[import-untyped]
import msgspec

from tests.charts.helm import KUBERNETES, Resource

TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}
SELECTOR = {"type": "object", "additionalProperties": False, "properties": {"matchLabels": TEXTS}}


def _object(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "properties": properties, "required": list(required)}


METADATA = _object(
    {"name": {"type": "string"}, "namespace": {"type": "string"}, "labels": TEXTS, "annotations": TEXTS}, "name"
)
ENDPOINT = _object(
    {
        "port": {"type": "string"},
        "path": {"type": "string"},
        "interval": {"type": "string", "pattern": "^([0-9]+(ms|s|m|h))+$"},
        "scrapeTimeout": {"type": "string"},
    }
)
RULE = _object(
    {
        "alert": {"type": "string"},
        "record": {"type": "string"},
        "expr": {"type": ["string", "integer"]},
        "for": {"type": "string"},
        "keep_firing_for": {"type": "string"},
        "labels": TEXTS,
        "annotations": TEXTS,
    },
    "expr",
)
GROUP = _object({"name": {"type": "string"}, "interval": {"type": "string"}, "rules": {"items": RULE}}, "name", "rules")
TEXT = {"type": "string"}
PARENT = _object({"name": TEXT, "namespace": TEXT, "sectionName": TEXT}, "name")
BACKEND = _object(
    {"group": {"const": ""}, "kind": {"const": "Service"}, "name": TEXT, "port": {"type": "integer"}, "weight": {}},
    "name",
    "port",
)
PATH = _object({"type": {"enum": ["PathPrefix", "Exact", "RegularExpression"]}, "value": TEXT}, "type", "value")
ROUTE = _object(
    {
        "matches": {"type": "array", "items": _object({"path": PATH}, "path")},
        "backendRefs": {"type": "array", "minItems": 1, "items": BACKEND},
    },
    "backendRefs",
)
CUSTOM = {
    ("gateway.networking.k8s.io/v1", "HTTPRoute"): _object(
        {
            "parentRefs": {"type": "array", "minItems": 1, "items": PARENT},
            "hostnames": {"type": "array", "items": TEXT},
            "rules": {"type": "array", "minItems": 1, "items": ROUTE},
        },
        "parentRefs",
        "rules",
    ),
    ("monitoring.coreos.com/v1", "ServiceMonitor"): _object(
        {
            "jobLabel": {"type": "string"},
            "selector": SELECTOR,
            "endpoints": {"type": "array", "minItems": 1, "items": ENDPOINT},
        },
        "selector",
        "endpoints",
    ),
    ("monitoring.coreos.com/v1", "PrometheusRule"): _object({"groups": {"type": "array", "items": GROUP}}, "groups"),
}


def problem(resource: Resource) -> str | None:
    """Return why Kubernetes would not take a resource, None if it would."""
    return _problem(msgspec.json.encode(resource, order="sorted"))


@cache  # most resources are rendered alike with most values
def _problem(encoded: bytes) -> str | None:
    resource = msgspec.json.decode(encoded)
    custom = CUSTOM.get((resource["apiVersion"], resource["kind"]))
    if custom is not None:
        schema = _object({"apiVersion": {}, "kind": {}, "metadata": METADATA, "spec": custom}, "metadata", "spec")
        return next((str(error) for error in jsonschema_rs.Draft202012Validator(schema).iter_errors(resource)), None)
    try:
        kubernetes_validate.validate(resource, KUBERNETES, strict=True)
    except kubernetes_validate.ValidationError as error:
        return f"{'.'.join(map(str, error.path))}: {error.message}"
    return None
