"""The kind cluster itself: made, found, removed."""

import json
from collections.abc import Mapping

from k8s.command import CLUSTER, CONTEXT, NODE, CommandError, DeployError, run
from k8s.ports import KIND_CONFIG, node_ports, rendered

NETWORK = "kind"  # kind's name for the network of all its clusters


def exists() -> bool:
    """Return whether kind knows our cluster."""
    return CLUSTER in run("kind", "get", "clusters").split()


def ensure(ports: Mapping[str, int]) -> str:
    """Make the cluster unless it is there with these ports, and return what was done."""
    if not exists():
        config = rendered(ports, KIND_CONFIG.read_text())
        run("kind", "create", "cluster", "--name", CLUSTER, "--wait", "120s", "--config", "-", text=config)
        return "made"
    if run("docker", "inspect", "--format", "{{.State.Running}}", NODE).strip() != "true":
        run("docker", "start", NODE)
    _require_ports(ports)
    run("kind", "export", "kubeconfig", "--name", CLUSTER)
    run("kubectl", "--context", CONTEXT, "wait", "--for=condition=Ready", "node", NODE, "--timeout=120s")
    return "there already"


def destroy() -> bool:
    """Remove the cluster with its context, and kind's network when nobody uses it; return whether there was one."""
    running = exists()
    if running:
        run("kind", "delete", "cluster", "--name", CLUSTER)
    if _network_is_idle():
        run("docker", "network", "rm", NETWORK)
    return running


def _network_is_idle() -> bool:
    if run("kind", "get", "clusters").strip():
        return False
    try:
        found = run("docker", "network", "inspect", "--format", "{{len .Containers}}", NETWORK)
    except CommandError:
        return False  # there is none
    return found.strip() == "0"


def _require_ports(ports: Mapping[str, int]) -> None:
    bound = json.loads(run("docker", "inspect", "--format", "{{json .HostConfig.PortBindings}}", NODE))
    for variable, inside in node_ports(KIND_CONFIG.read_text()).items():
        found = [int(binding["HostPort"]) for binding in bound.get(f"{inside}/tcp") or ()]
        if found != [ports[variable]]:
            raise DeployError(
                f"{variable} is {ports[variable]}, but the cluster was made with {found or 'none'}: "
                "a cluster's ports are fixed, so `make destroy` first, or take that port"
            )
