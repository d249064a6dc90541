"""Sends the campaign's commands to the user API: each user's in order, many users at a time.

An answer that did not come (connection, time-out, 5xx) leaves the outcome unknown: the command is sent again
with the same Idempotency-Key, so it is carried out once. Knows nothing of what a command leads to.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus

import aiohttp
import msgspec

from services.console.demo.campaign import Plan, Step

FIRST_PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 2.0
ANSWER_SECONDS = 10.0


class RefusedError(Exception):
    """The API refused a command of the campaign, or did not answer it until the deadline."""


class Reply(msgspec.Struct, frozen=True):
    """The API's answer to a write."""

    user_id: str
    version: int
    correlation_id: str


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """One accepted command.

    `before` and `version` are the user's version before and after it, `started_at` is in seconds since 1970,
    `seconds` lasts from the first attempt to the answer.
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
    """Drives users at one API. `run` tells this run's correlation ids from those of any other."""

    def __init__(self, session: aiohttp.ClientSession, url: str, run: str, deadline: float) -> None:
        self._session = session
        self.url = url
        self._run = run
        self._deadline = deadline
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
        reply, attempts = await self._send(step, path, headers)
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

    async def _send(self, step: Step, path: str, headers: dict[str, str]) -> tuple[Reply, int]:
        deadline = time.monotonic() + self._deadline
        attempts, pause = 1, FIRST_PAUSE_SECONDS
        while not isinstance(answer := await self._attempt(step, path, headers), Reply):
            if time.monotonic() + pause > deadline:
                raise RefusedError(f"{step.method} {path} was not answered in {attempts} attempts: {answer}")
            await asyncio.sleep(pause)
            attempts, pause = attempts + 1, min(pause * 2, LONGEST_PAUSE_SECONDS)
        return answer, attempts

    async def _attempt(self, step: Step, path: str, headers: dict[str, str]) -> Reply | str:
        """Return the reply, or what was seen when the outcome is unknown; raises RefusedError."""
        timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
        try:
            async with self._session.request(
                step.method, self.url + path, json=step.body, headers=headers, timeout=timeout
            ) as response:
                body = await response.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            return repr(error)
        if response.ok:
            return msgspec.json.decode(body, type=Reply)
        seen = f"{response.status} {body.decode(errors='replace')}"
        if response.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return seen
        raise RefusedError(f"{step.method} {path} ({step.kind}) was refused: {seen}")
