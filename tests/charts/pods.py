"""Finds the pods that rendered resources describe."""

from typing import Any

import msgspec

from tests.charts.helm import Resource


class Pod(msgspec.Struct, frozen=True):
    """One pod: of which resource it is, its labels, its spec."""

    name: str
    labels: dict[str, str]
    spec: dict[str, Any]

    @property
    def containers(self) -> list[dict[str, Any]]:
        """All of them, the first ones included."""
        return [*self.spec.get("initContainers", []), *self.spec["containers"]]


def pods(resources: list[Resource]) -> list[Pod]:
    """Return the pods of resources of any kind."""
    return [_pod(resource) for resource in resources if resource["kind"] == "Pod" or "template" in _spec(resource)]


def _pod(resource: Resource) -> Pod:
    name = f"{resource['kind']}/{resource['metadata']['name']}"
    template = resource if resource["kind"] == "Pod" else resource["spec"]["template"]
    return Pod(name, template["metadata"]["labels"], template["spec"])


def _spec(resource: Resource) -> dict[str, Any]:
    spec: dict[str, Any] = resource.get("spec") or {}
    return spec
