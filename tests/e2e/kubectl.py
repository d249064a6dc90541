"""kubectl for the cluster and namespace that `make deploy` makes: what is read there, and what is run in a pod."""

import json
from collections.abc import Mapping
from typing import Any

from k8s.programs import run

CONTEXT = "kind-eventline"
NAMESPACE = "eventline"
RELEASE = "eventline"
NAME = "app.kubernetes.io/name"


def kubectl(*arguments: str) -> str:
    """Return what kubectl wrote. Raises ProgramError."""
    return run("kubectl", "--context", CONTEXT, "--namespace", NAMESPACE, *arguments)


def items(kind: str, *arguments: str) -> list[dict[str, Any]]:
    """Return the objects of a kind."""
    found: list[dict[str, Any]] = json.loads(kubectl("get", kind, "--output", "json", *arguments))["items"]
    return found


def pods(*names: str) -> list[dict[str, Any]]:
    """Return the pods that are to run, of parts by name or of all."""
    selector = f"{NAME} in ({','.join(names)})" if names else NAME
    found = items("pods", "--selector", selector)
    return [pod for pod in found if pod["status"]["phase"] not in ("Succeeded", "Failed")]


def python(service: str, program: str, *arguments: str) -> Any:  # whatever the program prints
    """Run a Python program in a service's pod and return what it printed as JSON. Raises ProgramError."""
    return json.loads(kubectl("exec", f"deployment/{RELEASE}-{service}", "--", "python", "-c", program, *arguments))


def value(found: Mapping[str, Any], path: str) -> Any:  # JSON
    """Return what stands at a dotted path, None where nothing does."""
    for part in path.split("."):
        found = (found or {}).get(part)  # type: ignore[assignment]
    return found
