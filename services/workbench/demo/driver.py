"""Sends the campaign's commands to the user API: each user's in order, many users at a time.

Knows nothing of what a command leads to.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator

import aiohttp
import msgspec

from services.workbench.demo.campaign import Plan, Step
from services.workbench.demo.client import Reply, UserApi
from services.workbench.reconcile.history import Recorder


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """One accepted command.

    `before` and `version` are the user's version before and after it, `started_at` is in seconds since 1970,
    `seconds` lasts from the first attempt (of a load: from when it was meant to be sent) to the answer.
    """

    correlation_id: str
    user_id: str
    step: Step
    before: int
    version: int
    started_at: float
    seconds: float
    attempts: int


class Driver:
    """Drives users at one API; requests are recorded. `run` tells this run's correlation ids from those of others."""

    def __init__(
        self, session: aiohttp.ClientSession, url: str, run: str, deadline: float, recorder: Recorder | None = None
    ) -> None:
        self.api = UserApi(session, url, deadline, recorder)
        self._run = run
        self._users: dict[int, Reply] = {}

    async def drive(self, plans: Iterable[Plan], wave: int, concurrency: int, tell: Callable[[Accepted], None]) -> None:
        """Send one wave; `tell` hears each accepted command. Raises RefusedError."""
        shared = iter(plans)
        async with asyncio.TaskGroup() as group:
            for _ in range(concurrency):
                group.create_task(self._work(shared, wave, tell))

    async def _work(self, plans: Iterator[Plan], wave: int, tell: Callable[[Accepted], None]) -> None:
        for plan in plans:
            for number, step in enumerate(plan.waves[wave]):
                correlation_id = f"{self._run}-{plan.number}-{wave}-{number}"
                tell(await self._carry_out(plan.number, step, correlation_id))

    async def _carry_out(self, number: int, step: Step, correlation_id: str) -> Accepted:
        user = self._users.get(number)
        path = f"/users/{user.user_id}" if user else "/users"
        headers = {"Idempotency-Key": correlation_id, "X-Correlation-ID": correlation_id}
        before = user.version if user else 0
        if user:
            headers["If-Match"] = f'"{before}"'
        started_at, started = time.time(), time.monotonic()
        reply, attempts = await self.api.insist(step, path, headers)
        self._users[number] = reply
        return Accepted(
            correlation_id=correlation_id,
            user_id=reply.user_id,
            step=step,
            before=before,
            version=reply.version,
            started_at=started_at,
            seconds=time.monotonic() - started,
            attempts=attempts,
        )
