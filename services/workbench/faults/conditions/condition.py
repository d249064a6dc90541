"""Interface of a condition of a target: it is absent while a fault lasts."""

from typing import Protocol


class Condition(Protocol):
    """Something that targets of one verb depend on."""

    def obstacle(self, target: str) -> str:
        """Return why a target cannot be without it, nothing if it can."""

    async def begin(self, target: str) -> None:
        """Remove it. Raises an error of `failures.CODES`."""

    async def end(self, target: str) -> None:
        """Restore it. Raises an error of `failures.CODES`."""
