"""One command after another at the user API. Knows how an answer is read, and nothing of who sends what when.

An answer that did not come (connection, time-out, 5xx) leaves the outcome unknown: the command may be sent again
with the same Idempotency-Key, so it is carried out once.
"""

import asyncio
import time
from collections.abc import Mapping
from http import HTTPStatus

import aiohttp
import msgspec

from services.workbench.demo.campaign import Step
from services.workbench.reconcile.history import Operation, Recorder, Result

FIRST_PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 2.0
ANSWER_SECONDS = 10.0


class RefusedError(Exception):
    """The API refused a command, or did not answer it until the deadline. `kind` is what errors are counted by."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind


class UnansweredError(RefusedError):
    """The API did not answer a command until the deadline: whether it was carried out stays unknown."""


class Reply(msgspec.Struct, frozen=True):
    """The API's answer to a write."""

    user_id: str
    version: int
    correlation_id: str


class Unanswered(msgspec.Struct, frozen=True):
    """No answer, or one that leaves the outcome unknown: its kind to be counted by, and what was seen."""

    kind: str
    detail: str


class UserApi:
    """The user API at an address. `deadline` is how many seconds an answer is insisted on; requests are recorded."""

    def __init__(
        self, session: aiohttp.ClientSession, url: str, deadline: float, recorder: Recorder | None = None
    ) -> None:
        self._session = session
        self.url = url
        self._deadline = deadline
        self._recorder = recorder

    async def insist(self, step: Step, path: str, headers: Mapping[str, str]) -> tuple[Reply, int]:
        """Send a command until it is answered; return the reply and the number of attempts.

        Raises RefusedError, and UnansweredError at the deadline.
        """
        deadline = time.monotonic() + self._deadline
        attempts, pause = 1, FIRST_PAUSE_SECONDS
        while isinstance(answer := await self.attempt(step, path, headers), Unanswered):
            if time.monotonic() + pause > deadline:
                detail = f"{step.method} {path} was not answered in {attempts} attempts: {answer.detail}"
                raise UnansweredError(answer.kind, detail)
            await asyncio.sleep(pause)
            attempts, pause = attempts + 1, min(pause * 2, LONGEST_PAUSE_SECONDS)
        return answer, attempts

    async def attempt(self, step: Step, path: str, headers: Mapping[str, str]) -> Reply | Unanswered:
        """Send a command once. Raises RefusedError."""
        body = await self._exchange(step, path, headers)
        return body if isinstance(body, Unanswered) else msgspec.json.decode(body, type=Reply)

    async def read(self, step: Step, path: str, headers: Mapping[str, str]) -> Unanswered | None:
        """Ask for a user once; None is an answer. Raises RefusedError."""
        body = await self._exchange(step, path, headers)
        return body if isinstance(body, Unanswered) else None

    async def _exchange(self, step: Step, path: str, headers: Mapping[str, str]) -> bytes | Unanswered:
        sent = Operation(
            kind=step.kind,
            command=headers["X-Correlation-ID"],
            result=Result.UNKNOWN,
            began=time.time(),
            ended=0,
            user_id=path.removeprefix("/users").lstrip("/"),
        )
        try:
            status, body = await self._request(step, path, headers)
        except (aiohttp.ClientError, TimeoutError) as error:
            self._record(msgspec.structs.replace(sent, error=repr(error)))
            return Unanswered(type(error).__name__, repr(error))
        self._record(sent.answered(status, body))
        if status < HTTPStatus.BAD_REQUEST:
            return body
        seen = f"{status} {body.decode(errors='replace')}"
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return Unanswered(str(status), seen)
        raise RefusedError(str(status), f"{step.method} {path} ({step.kind}) was refused: {seen}")

    async def _request(self, step: Step, path: str, headers: Mapping[str, str]) -> tuple[int, bytes]:
        timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
        async with self._session.request(
            step.method, self.url + path, json=step.body, headers=headers, timeout=timeout
        ) as response:
            return response.status, await response.read()

    def _record(self, operation: Operation) -> None:
        if self._recorder is not None:
            self._recorder.add(msgspec.structs.replace(operation, ended=time.time()))
