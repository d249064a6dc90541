"""Ports of the local run: a taken one is named before anything starts. Knows no process."""

import contextlib
import socket
from collections.abc import Mapping

HOST = "127.0.0.1"


class PortTakenError(Exception):
    """Every port that another program holds, with the setting that chooses another."""


def require_free(ports: Mapping[str, int]) -> None:
    """Check ports by the name of their setting; raises PortTakenError naming all that are taken, or given twice."""
    taken: dict[str, int] = {}
    with contextlib.ExitStack() as held:
        for setting, port in ports.items():
            try:
                held.enter_context(socket.create_server((HOST, port)))
            except OSError:
                taken[setting] = port
    if taken:
        lines = (f"port {port} is taken: stop what listens there, or set {name}" for name, port in taken.items())
        raise PortTakenError("\n".join(lines))
