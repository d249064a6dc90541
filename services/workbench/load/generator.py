"""The open loop: each request is sent when it is meant to be sent, however long the answers before it take.

A latency counts from the intended moment, so what waits in the generator or in the system is in it alike.
"""

import asyncio
import itertools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec

from services.workbench.demo.campaign import Step
from services.workbench.demo.client import RefusedError, Reply, Unanswered, UnansweredError, UserApi
from services.workbench.demo.driver import Accepted
from services.workbench.load.mix import Planned
from services.workbench.load.players import NobodyError, Player

TELL_SECONDS = 0.25


class Sample(msgspec.Struct, frozen=True):
    """One request, meant to be sent `at` seconds after the start.

    `seconds` lasts from then to its first answer; `error` is that answer's kind if it was one.
    """

    at: float
    kind: str
    seconds: float
    error: str | None


class Due(msgspec.Struct, frozen=True):
    """When a request is meant to be sent: seconds after the start, by a clock that only goes forward, since 1970."""

    at: float
    monotonic: float
    epoch: float


class Sent(msgspec.Struct, frozen=True):
    """All that is needed to send a command again."""

    path: str
    headers: Mapping[str, str]
    due: Due


class Measured(msgspec.Struct, frozen=True):
    """One run of the open loop: how many seconds it was planned for, and its requests."""

    seconds: float
    samples: Sequence[Sample]


class Generator:
    """Plays users at an API. `accepted` holds every command that the system has taken, errors at first included.

    With `unknown_allowed`, a command whose outcome does not become known is counted in `unknown` instead of raised; a
    user whose registration it was sends nothing more.
    """

    def __init__(self, api: UserApi, run: str, seed: int, *, unknown_allowed: bool = False) -> None:
        self._api = api
        self._run = run
        self._seed = seed
        self._players: dict[int, Player] = {}
        self._numbers = itertools.count(1)
        self._sent = 0
        self._samples: list[Sample] = []
        self._unknown_allowed = unknown_allowed
        self.accepted: list[Accepted] = []
        self.unknown = 0

    async def populate(self, users: int, concurrency: int) -> None:
        """Register the first users, so many at a time, before anything is measured. Raises RefusedError."""
        numbers = iter(range(1, users + 1))
        async with asyncio.TaskGroup() as group:
            for _ in range(concurrency):
                group.create_task(self._register(numbers))
        self._samples.clear()

    async def play(self, plan: Sequence[Planned], seconds: float, tell: Callable[[int, int], None]) -> Measured:
        """Send a plan; `tell` hears now and then how many requests were sent and how many answered.

        A command whose outcome stays unknown is an error in the samples, and is sent again until it is known: what
        became of it can then be counted. Raises UnansweredError when it does not become known, RefusedError.
        """
        self._samples, self._sent = [], 0
        start, start_at = time.monotonic(), time.time()
        async with asyncio.TaskGroup() as group:
            telling = group.create_task(self._tell(tell))
            tasks = []
            for sent, planned in enumerate(plan, start=1):
                if (wait := start + planned.at - time.monotonic()) > 0:
                    await asyncio.sleep(wait)
                tasks.append(self._begin(group, planned, Due(planned.at, start + planned.at, start_at + planned.at)))
                self._sent = sent
            if tasks:
                await asyncio.wait(tasks)
            telling.cancel()
        tell(len(plan), len(self._samples))
        return Measured(seconds, self._samples)

    def _begin(self, group: asyncio.TaskGroup, planned: Planned, due: Due) -> asyncio.Task[None]:
        player = self._player(planned.user)
        before = set(player.pending) if planned.kind == "leave" else set()
        task = group.create_task(self._act(player, planned.kind, due, before))
        player.pending.add(task)
        task.add_done_callback(player.pending.discard)
        return task

    async def _act(self, player: Player, kind: str, due: Due, before: set[asyncio.Task[None]]) -> None:
        if before:
            await asyncio.wait(before)  # who has left can change nothing: the own commands before it come first
        if kind == "prefer":
            async with player.toggling:  # two at a time could cancel out, and nothing would change
                await self._send(player, kind, due)
        else:
            await self._send(player, kind, due)

    async def _send(self, player: Player, kind: str, due: Due) -> None:
        try:
            await self._request(player, kind, due)
        except NobodyError:
            return
        except UnansweredError:
            if not self._unknown_allowed:
                raise
            self.unknown += 1
            if kind == "register":
                player.give_up()

    async def _request(self, player: Player, kind: str, due: Due) -> None:
        step = player.step(kind)
        correlation_id = f"{self._run}-{next(self._numbers)}"
        headers = {"X-Correlation-ID": correlation_id, "Idempotency-Key": correlation_id, "If-Match": "*"}
        path = "/users" if kind == "register" else f"/users/{await player.user_id}"
        try:
            send = self._api.read if kind == "read" else self._api.attempt
            answer = await send(step, path, headers)
        except RefusedError as refused:
            self._note(kind, due, refused.kind)
            if kind == "register":
                raise  # nobody could act as this user any more
            return
        self._note(kind, due, answer.kind if isinstance(answer, Unanswered) else None)
        if kind != "read":
            await self._accept(player, step, Sent(path, headers, due), answer)

    async def _accept(self, player: Player, step: Step, sent: Sent, answer: Reply | Unanswered | None) -> None:
        seconds, attempts = time.monotonic() - sent.due.monotonic, 1
        if not isinstance(answer, Reply):
            answer, more = await self._api.insist(step, sent.path, sent.headers)
            attempts += more
        if not player.user_id.done():
            player.user_id.set_result(answer.user_id)
        self.accepted.append(
            Accepted(
                correlation_id=answer.correlation_id,
                user_id=answer.user_id,
                step=step,
                before=answer.version - 1,
                version=answer.version,
                started_at=sent.due.epoch,
                seconds=seconds,
                attempts=attempts,
            )
        )

    def _note(self, kind: str, due: Due, error: str | None) -> None:
        self._samples.append(Sample(due.at, kind, time.monotonic() - due.monotonic, error))

    def _player(self, number: int) -> Player:
        if number not in self._players:
            self._players[number] = Player(self._run, number, self._seed)
        return self._players[number]

    async def _register(self, numbers: Iterator[int]) -> None:
        for number in numbers:
            await self._send(self._player(number), "register", Due(0.0, time.monotonic(), time.time()))

    async def _tell(self, tell: Callable[[int, int], None]) -> None:
        while True:
            tell(self._sent, len(self._samples))
            await asyncio.sleep(TELL_SECONDS)
