"""The doors that answer without a login or a token, found from pods without rights and from this machine."""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from k8s.command import CONTEXT, NAMESPACE, NODE, RELEASE, kubectl, run
from services.contracts.api_access import ROUTES
from services.workbench.polling import until
from tests.support.stories.target import Target

PAGE = Path(__file__).parents[2] / "docs/doors.md"
ROW = re.compile(r"\| (?P<ports>`[a-z0-9-]+:[0-9]+`[^|]*) \| (?P<paths>[^|]*) \| [^|]+ \|")
ELSEWHERE = "eventline-outsider"
PATHS = ("/", "/schema", "/schema/openapi.json", "/metrics", "/livez", "/readyz", "/startupz", "/api/v1/query?query=up")
FIRST_TILE = "0/000.p/1"  # is there as soon as the log has an entry, and stays
NO_ANSWER = (401, 403, 404, 405)
# Prints each port that accepts a connection, and each path that answers with neither a refusal nor "not found".
LOOK = """
import json, socket, sys, urllib.error, urllib.request
places, paths, none = json.loads(sys.argv[1])
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
found = []
for name, (host, port) in places.items():
    try:
        socket.create_connection((host, port), timeout=4).close()
    except OSError:
        continue
    found.append(name)
    for path in paths:
        try:
            status = opener.open(f"http://{host}:{port}{path}", timeout=10).status
        except urllib.error.HTTPError as error:
            status = error.code
        except Exception:
            break
        if status not in none:
            found.append(f"{name} {path}")
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[None]:
    """A namespace beside the release's."""
    run("kubectl", "--context", CONTEXT, "create", "namespace", ELSEWHERE)
    yield
    run("kubectl", "--context", CONTEXT, "delete", "namespace", ELSEWHERE, "--wait=false")


@pytest.mark.parametrize("namespace", [ELSEWHERE, NAMESPACE])
@pytest.mark.usefixtures("elsewhere")
def test_a_pod_without_rights_finds_the_listed_doors_and_no_other(target: Target, namespace: str) -> None:
    assert target.parts
    assert sorted(_from_pod(namespace, _services())) == _listed()


def test_this_machine_finds_the_listed_doors_and_no_other(target: Target) -> None:
    assert target.parts
    done = run(sys.executable, "-c", LOOK, json.dumps([_node_ports(), _paths(), NO_ANSWER]))
    assert sorted(json.loads(done)) == _listed()


def _services() -> dict[str, tuple[str, int]]:
    """Return the address of each port of each Service, by the names of both."""
    return {
        f"{_short(service)}:{port['port']}": (f"{service['metadata']['name']}.{NAMESPACE}.svc", port["port"])
        for service in _found()
        for port in service["spec"]["ports"]
    }


def _node_ports() -> dict[str, tuple[str, int]]:
    """Return where kind publishes ports of Services on this machine, by the same names."""
    published = json.loads(run("docker", "inspect", NODE))[0]["NetworkSettings"]["Ports"]
    at = {int(port.partition("/")[0]): int(hosts[0]["HostPort"]) for port, hosts in published.items() if hosts}
    return {
        f"{_short(service)}:{port['port']}": ("127.0.0.1", at[port["nodePort"]])
        for service in _found()
        for port in service["spec"]["ports"]
        if port.get("nodePort") in at
    }


def _found() -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = json.loads(kubectl("get", "services", "--output", "json"))["items"]
    return items


def _short(service: dict[str, Any]) -> str:
    return str(service["metadata"]["name"]).removeprefix(f"{RELEASE}-")


def _paths() -> list[str]:
    routes = {route.split(" ", 1)[1] for table in ROUTES.values() for route in table if route.startswith("GET ")}
    return [
        *PATHS,
        *sorted(re.sub(r"\{path[^}]*\}", FIRST_TILE, re.sub(r"\{(?!path)[^}]*\}", "0", one)) for one in routes),
    ]


def _listed() -> list[str]:
    """Return the doors of the page: each port, and each path that answers there."""
    doors = []
    for row in filter(None, map(ROW.fullmatch, PAGE.read_text().splitlines())):
        for port in _quoted(row["ports"]):
            doors += [port, *(f"{port} {path}" for path in _quoted(row["paths"]))]
    nodes = [f"{name}:9095" for one in _found() if (name := _short(one)).startswith("kafka-external-")]
    return sorted({*doors, *nodes})  # the row of the first node stands for all


def _quoted(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def _from_pod(namespace: str, places: dict[str, tuple[str, int]]) -> list[str]:
    image = kubectl(
        "get", f"deployment/{RELEASE}-console", "--output", "jsonpath={.spec.template.spec.containers[0].image}"
    )
    container = {
        "name": "outsider",
        "image": image,
        "command": ["python", "-c", LOOK, json.dumps([places, _paths(), NO_ANSWER])],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    security = {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "outsider"},
        "spec": {"restartPolicy": "Never", "securityContext": security, "containers": [container]},
    }
    command = ("kubectl", "--context", CONTEXT, "--namespace", namespace)
    run(*command, "apply", "--filename", "-", text=json.dumps(pod))
    try:
        phase = (*command, "get", "pod", "outsider", "--output", "jsonpath={.status.phase}")
        until("the outsider has looked", lambda: run(*phase), "Succeeded".__eq__, 180.0)
        found: list[str] = json.loads(run(*command, "logs", "outsider"))
        return found
    finally:
        run(*command, "delete", "pod", "outsider", "--now")
