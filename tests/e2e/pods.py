"""Pods of the deployed release: their objects, and Python programs run in them."""

import json
from collections.abc import Mapping
from typing import Any

from k8s.command import RELEASE, kubectl, objects

NAME = "app.kubernetes.io/name"


def pods(*names: str) -> list[dict[str, Any]]:
    """Return the pods that have not ended, of all parts or of the named ones."""
    selector = f"{NAME} in ({','.join(names)})" if names else NAME
    found = objects("pods", "--selector", selector)
    return [pod for pod in found if pod["status"]["phase"] not in ("Succeeded", "Failed")]


def python(service: str, program: str, *arguments: str) -> Any:  # whatever the program prints
    """Run a Python program in a service's pod and return its output, decoded from JSON. Raises CommandError."""
    return json.loads(kubectl("exec", f"deployment/{RELEASE}-{service}", "--", "python", "-c", program, *arguments))


def value(found: Mapping[str, Any], path: str) -> Any:  # JSON
    """Return the value at a dotted path, None if there is none."""
    for part in path.split("."):
        found = (found or {}).get(part)  # type: ignore[assignment]
    return found
