"""Commands that are sent while something is broken: registrations at a steady rate, each insisted on."""

import asyncio

import aiohttp

from services.workbench.demo.campaign import Plan, register
from services.workbench.demo.client import RefusedError
from services.workbench.demo.driver import Accepted, Driver

RATE = 2.0  # a second: a person's pace, whose effects any of these systems has room for
MOST_OPEN = 32
DEADLINE_S = 90.0  # longer than any take-over


class Commands:
    """The commands of one run. `run` begins their correlation ids and their users' names."""

    def __init__(self, session: aiohttp.ClientSession, user_url: str, run: str) -> None:
        self._driver = Driver(session, user_url, run, DEADLINE_S)
        self._run = run
        self._open: set[asyncio.Task[None]] = set()
        self._sent = 0
        self.accepted: list[Accepted] = []
        self.unanswered = 0

    @property
    def open(self) -> int:
        """How many are not answered yet."""
        return len(self._open)

    def send(self) -> None:
        """Send one more, unless too many wait for an answer."""
        if self.open >= MOST_OPEN:
            return
        self._sent += 1
        task = asyncio.create_task(self._register(self._sent))
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    def stop(self) -> None:
        """Wait for no more answers."""
        for task in self._open:
            task.cancel()

    async def _register(self, number: int) -> None:
        name = f"{self._run}-{number}-0-0"  # as the driver names the command
        step = register(name, f"{name}@example.org", "Ada Lovelace", opted_in=True)
        try:
            await self._driver.drive([Plan(number, ((step,), ()))], 0, 1, self.accepted.append)
        except* RefusedError:
            self.unanswered += 1
