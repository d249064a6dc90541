"""Checks this machine for `make deploy` and shows how to install what is missing. It changes nothing."""

import re
import shutil
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from k8s import cluster, probe
from k8s.command import CommandError, DeployError, run

MEMORY_GIB = 4.0  # the cluster itself takes 0.7, the idle system 1.2, builds and load the rest


class Tool(NamedTuple):
    """A program that we call: the version we need, how to ask for it, where it comes from."""

    name: str
    least: tuple[int, int]
    version: tuple[str, ...]
    source: str


TOOLS = (
    Tool("docker", (20, 10), ("version", "--format", "{{.Server.Version}}"), "https://docs.docker.com/engine/install"),
    Tool("kind", (0, 24), ("version",), "https://kind.sigs.k8s.io/docs/user/quick-start/#installation"),
    Tool("helm", (3, 14), ("version", "--short"), "https://helm.sh/docs/intro/install"),
    Tool("kubectl", (1, 30), ("version", "--client", "--output", "yaml"), "https://kubernetes.io/docs/tasks/tools"),
)


class Finding(NamedTuple):
    """One thing looked at. `advice` is what to do, empty when all is well."""

    subject: str
    seen: str
    advice: str = ""


def examine(console: Console, ports: Mapping[str, int]) -> bool:
    """Print every finding and return whether all is well."""
    well = True
    for finding in findings(ports):
        well = well and not finding.advice
        mark = "[red]✗[/]" if finding.advice else "[green]✓[/]"
        console.print(f" {mark} {finding.subject:<22} {finding.seen}", highlight=False, soft_wrap=True)
        if finding.advice:
            console.print(f"     {finding.advice}", highlight=False, markup=False, soft_wrap=True)
    return well


def findings(ports: Mapping[str, int]) -> Iterator[Finding]:
    """Look at the programs, the memory, then at the cluster where there is one, else at the ports it will need."""
    tools = [tool_finding(tool) for tool in TOOLS]
    yield from tools
    yield memory_finding(Path("/proc/meminfo"))
    if any(finding.advice for finding in tools):
        return
    if cluster.exists():
        yield policy_finding()
    else:
        yield ports_finding(ports)


def tool_finding(tool: Tool) -> Finding:
    """Look for a program and at its version."""
    if shutil.which(tool.name) is None:
        return Finding(tool.name, "not found", f"install {tool.name}: {tool.source}")
    try:
        output = run(tool.name, *tool.version, seconds=20)
    except CommandError as error:
        return Finding(tool.name, "does not answer", f"start it, or allow this user to use it. {error}")
    found = re.search(r"(\d+)\.(\d+)(\.\d+)?", output)
    if found and (int(found[1]), int(found[2])) >= tool.least:
        return Finding(tool.name, found[0])
    least = ".".join(map(str, tool.least))
    return Finding(tool.name, output.strip(), f"{tool.name} {least} or newer is needed: {tool.source}")


def memory_finding(meminfo: Path) -> Finding:
    """Look at the memory that is free to use; report where the system does not show it."""
    found = re.search(r"^MemAvailable: +(\d+) kB$", meminfo.read_text(), re.MULTILINE) if meminfo.exists() else None
    if found is None:
        return Finding("memory", f"unknown here: give Docker {MEMORY_GIB:g} GiB")
    free = int(found[1]) / 1024**2
    advice = f"{MEMORY_GIB:g} GiB are needed: end other programs" if free < MEMORY_GIB and not cluster_runs() else ""
    return Finding("memory", f"{free:.1f} GiB available", advice)


def cluster_runs() -> bool:
    """Return whether our cluster is there, as far as kind can be asked."""
    try:
        return cluster.exists()
    except DeployError:
        return False


def ports_finding(ports: Mapping[str, int]) -> Finding:
    """Look whether the ports that the cluster will bind are free."""
    taken = {name: port for name, port in ports.items() if not _is_free(port)}
    if not taken:
        return Finding("ports", f"{min(ports.values())} to {max(ports.values())}: all {len(ports)} free")
    name, port = next(iter(taken.items()))
    return Finding("ports", f"taken: {taken}", f"choose others, for example: make deploy {name}={port + 10000}")


def policy_finding() -> Finding:
    """Try two connections in the cluster, of which a NetworkPolicy forbids one."""
    try:
        seen = probe.network_policy()
    except DeployError as error:
        return Finding("NetworkPolicy", "could not be tried", str(error))
    if seen == probe.ENFORCED:
        return Finding("NetworkPolicy", "kept: an allowed connection worked, a forbidden one was refused")
    return Finding(
        "NetworkPolicy", str(seen), "the cluster's network must enforce NetworkPolicy: kind 0.24 or newer does"
    )


def _is_free(port: int) -> bool:
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            one.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
