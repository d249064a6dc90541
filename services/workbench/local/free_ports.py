"""Ports that nobody listens on: below those of outgoing connections, of which one could take a port at any moment."""

import random
import socket
from contextlib import ExitStack, suppress

PORTS = range(10_000, 18_000)  # `make run` has those from 18000 on


def free_ports(number: int) -> list[int]:
    """Return ports that were free a moment ago, all different. Raises OSError if there are not so many."""
    found: list[int] = []
    # Not seeded: test processes beside each other are, and would choose the same.
    tried = iter(random.SystemRandom().sample(PORTS, len(PORTS)))
    with ExitStack() as stack:
        while len(found) < number:
            if (port := next(tried, None)) is None:
                raise OSError(f"there are not {number} free ports from {PORTS[0]} to {PORTS[-1]}")
            with suppress(OSError):
                stack.enter_context(socket.create_server(("127.0.0.1", port)))
                found.append(port)
    return found
