"""The ports of this machine that lead into the cluster, as kind.yaml names them. Knows no cluster."""

import re
from collections.abc import Mapping
from pathlib import Path

from k8s.command import DeployError

KIND_CONFIG = Path(__file__).with_name("kind.yaml")
_LINE = re.compile(r"containerPort: (?P<node>\d+), hostPort: (?P<host>\d+),.*# (?P<variable>KIND_[A-Z0-9_]+)\Z")
_LARGEST = 65535


def host_ports(environment: Mapping[str, str], config: str) -> dict[str, int]:
    """Return the host port of each variable in kind.yaml: the environment's, else the file's.

    Raises DeployError for what is no port and for a port named twice.
    """
    ports = {}
    for line in config.splitlines():
        if found := _LINE.search(line):
            variable = found["variable"]
            ports[variable] = _port(variable, environment.get(variable) or found["host"])
    twice = {port for port in ports.values() if list(ports.values()).count(port) > 1}
    if twice:
        raise DeployError(f"port {min(twice)} is named twice: {[name for name in ports if ports[name] in twice]}")
    return ports


def rendered(ports: Mapping[str, int], config: str) -> str:
    """Return kind.yaml with these host ports."""
    return "\n".join(_with_port(line, ports) for line in config.splitlines()) + "\n"


def node_ports(config: str) -> dict[str, int]:
    """Return the node's port of each variable."""
    found = (_LINE.search(line) for line in config.splitlines())
    return {line["variable"]: int(line["node"]) for line in found if line}


def _with_port(line: str, ports: Mapping[str, int]) -> str:
    found = _LINE.search(line)
    return re.sub(r"hostPort: \d+", f"hostPort: {ports[found['variable']]}", line) if found else line


def _port(variable: str, text: str) -> int:
    if not text.isdigit() or not 0 < int(text) <= _LARGEST:
        raise DeployError(f"{variable} is {text!r}: it must be a port between 1 and {_LARGEST}")
    return int(text)
