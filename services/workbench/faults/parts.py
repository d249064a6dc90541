"""Interface of the parts of a running system: each can be killed, started, paused and resumed by its name.

Implementations: `local_parts`, `compose_parts` and `kind_parts`.
"""

from typing import Protocol

from services.workbench.faults.table import Fault


class Parts(Protocol):
    """The parts of one system, by the names in `table.PARTS`. Every action raises an error of `failures.CODES`."""

    @property
    def system(self) -> str:
        """The name of the system for a person."""

    def obstacle(self, fault: Fault) -> str:
        """Return why a fault is impossible here and what to use instead, nothing if it is possible."""

    async def kill(self, part: str) -> None:
        """End a part with SIGKILL; it does not come back by itself."""

    async def start(self, part: str) -> None:
        """Start a killed part, without waiting until it is ready."""

    async def pause(self, part: str) -> None:
        """Stop a part, as SIGSTOP does."""

    async def resume(self, part: str) -> None:
        """Let a paused part go on."""

    async def heal(self) -> list[str]:
        """Heal what an earlier command has left broken; return what was healed."""
