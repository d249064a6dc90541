"""Group commit: one thread takes all commands that wait and commits them together.

The more load, the larger the groups: while one group is being committed, the next one gathers.
"""

import asyncio
import contextlib
import queue
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Generic, TypeVar

import structlog

from services.chassis.database.database import UNAVAILABLE
from services.chassis.net.backoff import Backoff
from services.chassis.telemetry.metrics.serving import GROUP_SIZE, WRITER_QUEUE
from services.chassis.telemetry.telemetry import Telemetry

C = TypeVar("C")
R = TypeVar("R")
IDLE_S = 0.5  # how often an idle writer looks whether it should stop

ATTEMPTS = 3
BACKOFF_S = (0.05, 0.1)

log = structlog.get_logger()


class GroupCommitStoppedError(ConnectionError):
    """The writer takes no more commands: the process is about to end."""


class _Waiting(Generic[C, R]):
    def __init__(self, command: C) -> None:
        self.command = command
        self.loop = asyncio.get_running_loop()
        self.reply: asyncio.Future[R] = self.loop.create_future()


class GroupCommit(Generic[C, R]):
    """Executes commands in groups of at most `limit`.

    `execute` gets a group and returns a reply per command, in order, all committed; it raises when nothing is.
    """

    name = "writer"

    def __init__(self, execute: Callable[[Sequence[C]], Sequence[R]], limit: int, telemetry: Telemetry) -> None:
        self._execute = execute
        self._limit = limit
        self._group_size = telemetry.metrics.histogram(GROUP_SIZE)
        self._health = telemetry.health
        self._waiting: queue.SimpleQueue[_Waiting[C, R]] = queue.SimpleQueue()
        self._ended = False
        telemetry.metrics.on_scrape(WRITER_QUEUE, self._waiting.qsize)

    async def submit(self, command: C) -> R:
        """Return the reply to a command once its group is committed.

        Raises what `execute` raised, and WriterStoppedError after the end.
        """
        waiting = _Waiting[C, R](command)
        self._waiting.put(waiting)
        if self._ended:  # asked after the put: the writer ended before it, or sees the command
            self._refuse_rest()
        return await waiting.reply

    def run(self, stop: threading.Event) -> None:
        """Commit groups until told to stop, and then what still waits."""
        try:
            while not stop.is_set() or not self._waiting.empty():
                self._health.beat(self.name)
                if group := self._gather(IDLE_S):
                    self._commit(group)
        finally:
            self._ended = True
            self._refuse_rest()

    def _refuse_rest(self) -> None:
        while group := self._gather(0):
            _tell(group, partial(_fail, group, GroupCommitStoppedError("the writer has stopped")))

    def _gather(self, wait_s: float) -> list[_Waiting[C, R]]:
        group: list[_Waiting[C, R]] = []
        with contextlib.suppress(queue.Empty):
            group.append(self._waiting.get(timeout=wait_s))
            while len(group) < self._limit:
                group.append(self._waiting.get_nowait())
        return group

    def _commit(self, group: list[_Waiting[C, R]]) -> None:
        self._group_size.observe(len(group))
        try:
            replies = self._execute([waiting.command for waiting in group])
        except Exception as error:  # whatever it is, every caller must hear of it
            log.exception("group not committed", commands=len(group))
            if len(group) == 1 or isinstance(error, UNAVAILABLE):
                _tell(group, partial(_fail, group, error))
                return
            for waiting in group:  # one command's fault is not the others'
                self._commit([waiting])
        else:
            _tell(group, partial(_resolve, group, replies))


def _tell(group: Sequence[_Waiting[C, R]], tell: Callable[[], None]) -> None:
    # One wake-up of the loop for the whole group: waking it per reply costs more than the replies.
    with contextlib.suppress(RuntimeError):  # the loop has ended with its server: nobody waits any more
        group[0].loop.call_soon_threadsafe(tell)


def _resolve(group: Sequence[_Waiting[C, R]], replies: Sequence[R]) -> None:
    for waiting, reply in zip(group, replies, strict=True):
        if not waiting.reply.done():  # the client may be gone
            waiting.reply.set_result(reply)


def _fail(group: Sequence[_Waiting[C, R]], error: Exception) -> None:
    for waiting in group:
        if not waiting.reply.done():
            waiting.reply.set_exception(error)


def retried(execute: Callable[[Sequence[C]], R]) -> Callable[[Sequence[C]], R]:
    """Return `execute` with a bounded retry where the database was away, busy or chose it as a deadlock's victim.

    `execute` must be idempotent: a connection lost during COMMIT leaves open whether the group is in.
    """

    def execute_again(commands: Sequence[C]) -> R:
        backoff = Backoff(*BACKOFF_S)
        while True:
            try:
                return execute(commands)
            except UNAVAILABLE as error:
                seconds = backoff.next()
                if backoff.failures == ATTEMPTS:
                    raise
                log.warning("group not committed, trying again", tried=backoff.failures, error=str(error))
                time.sleep(seconds)

    return execute_again
