"""The users that the load plays: what each knows of itself, and the next command it would send."""

import asyncio
import random

from services.workbench.demo.campaign import Step, a_name, leave, move, register

SHARE_OPTED_OUT = 0.1
READ = Step(kind="read", method="GET")


class NobodyError(Exception):
    """A user whose registration was never answered: its id is unknown, so it sends no further command."""


class Player:
    """One user. `user_id` is there once it has registered; toggling preferences is one at a time.

    Names and addresses are never used twice, so that each command but a read changes something: one event each.
    """

    def __init__(self, run: str, number: int, seed: int) -> None:
        self.user_id: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.toggling = asyncio.Lock()
        self.pending: set[asyncio.Task[None]] = set()
        self._login = f"{run}-user{number}"
        self._chance = random.Random(f"{seed}/{number}")  # noqa: S311  # seeded
        self._opted_in = self._chance.random() >= SHARE_OPTED_OUT
        self._changes = 0

    def give_up(self) -> None:
        """Let every command that waits for the user's id end with NobodyError."""
        self.user_id.set_exception(NobodyError())
        self.user_id.exception()  # asyncio reports an exception that nobody has looked at

    def step(self, kind: str) -> Step:
        """Return the next command of a kind. Whom it tells is known when all versions are; see `effects.settled`."""
        match kind:
            case "read":
                return READ
            case "register":
                return register(self._login, self._address(), a_name(self._chance), opted_in=self._opted_in)
            case "rename":
                return Step(kind=kind, method="PATCH", body={"full_name": f"{a_name(self._chance)} {self._next()}"})
            case "move":
                return move("", self._address(), opted_in=self._opted_in)
            case "prefer":
                return Step(kind=kind, method="PATCH", body={"preferences": {"email": self._toggle()}})
            case _:
                return leave("", opted_in=self._opted_in)

    def _next(self) -> int:
        self._changes += 1
        return self._changes

    def _address(self) -> str:
        return f"{self._login}.{self._next()}@example.org"

    def _toggle(self) -> bool:
        self._opted_in = not self._opted_in
        return self._opted_in
