"""Proof of a refused connection: two test pods connect to a third, and a NetworkPolicy allows one of them.

It works in a namespace of its own, which it removes, with an image of the project, since a node has that already.
"""

import json
import time
from typing import Any

from k8s.command import CONTEXT, NODE, DeployError, run

NAMESPACE = "eventline-doctor"
PORT = 8080
PATIENCE_SECONDS = 60.0
ENFORCED = {"allowed": "open", "forbidden": "refused"}
_SERVE = f"python -m http.server {PORT}"
_ASK = f"""
import socket, time
for _ in range(8):
    try:
        socket.create_connection(("server", {PORT}), 2).close()
        print("open")
        break
    except OSError as error:
        last = error
    time.sleep(0.5)
else:
    print("unknown" if isinstance(last, socket.gaierror) else "refused")
"""


def network_policy() -> dict[str, str]:
    """Return what each of the two pods found: open or refused. Raises DeployError when the pods do not run."""
    image = _image()
    try:
        _apply(_objects(image))
        _await("server", "Running")
        _apply([_pod("allowed", image, _ASK), _pod("forbidden", image, _ASK)])
        return {name: _answer(name) for name in ("allowed", "forbidden")}
    finally:
        run("kubectl", "--context", CONTEXT, "delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait=false")


def _image() -> str:
    present = run("docker", "exec", NODE, "ctr", "--namespace", "k8s.io", "images", "list", "--quiet").split()
    images = [name for name in present if name.startswith("docker.io/eventline/console:")]
    if not images:
        raise DeployError("the node has no image of ours yet: `make deploy` first")
    return images[0]


def _objects(image: str) -> list[dict[str, Any]]:
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": labels}},
        _object("networking.k8s.io/v1", "NetworkPolicy", "server", _policy()),
        _object("v1", "Service", "server", {"selector": {"role": "server"}, "ports": [{"port": PORT}]}),
        _pod("server", image, f"import os; os.chdir('/'); os.execvp('python', {_SERVE.split()!r})"),
    ]


def _policy() -> dict[str, Any]:
    allowed = {"podSelector": {"matchLabels": {"role": "allowed"}}}
    return {
        "podSelector": {"matchLabels": {"role": "server"}},
        "policyTypes": ["Ingress"],
        "ingress": [{"from": [allowed], "ports": [{"port": PORT}]}],
    }


def _pod(role: str, image: str, code: str) -> dict[str, Any]:
    container = {
        "name": role,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python", "-c", code],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    return _object(
        "v1",
        "Pod",
        role,
        {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "securityContext": {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [container],
        },
    )


def _object(version: str, kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
    metadata = {"name": name, "namespace": NAMESPACE, "labels": {"role": name}}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec}


def _apply(objects: list[dict[str, Any]]) -> None:
    wanted = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
    run("kubectl", "--context", CONTEXT, "apply", "--filename", "-", text=wanted)


def _await(name: str, phase: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (seen := _pod_command("get", "pod", name, "--output", "jsonpath={.status.phase}")) != phase:
        if time.monotonic() > deadline:
            raise DeployError(f"the doctor's pod {name} is {seen} after {PATIENCE_SECONDS:g} s")
        time.sleep(0.5)


def _answer(name: str) -> str:
    _await(name, "Succeeded")
    return _pod_command("logs", name).strip()


def _pod_command(*arguments: str) -> str:
    return run("kubectl", "--context", CONTEXT, "--namespace", NAMESPACE, *arguments)
