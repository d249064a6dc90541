"""Group commit: one thread takes all waiting commands and commits them in one transaction.

Groups grow with the load: while one group is being committed, the next one collects.
"""

import asyncio
import contextlib
import queue
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Generic, Protocol, TypeVar

import structlog

from services.chassis.database.database import UNAVAILABLE
from services.chassis.telemetry.metrics.serving import GROUP_SIZE, WRITER_QUEUE
from services.chassis.telemetry.telemetry import Telemetry

C = TypeVar("C")
R = TypeVar("R")
C_contra = TypeVar("C_contra", contravariant=True)
R_co = TypeVar("R_co", covariant=True)
IDLE_S = 0.5  # how often an idle thread checks for the stop

BACKOFF_S = (0.05, 0.1)  # before the second and the third attempt
RETRY_WITHIN_S = 5.0  # after a longer attempt no caller waits for another

log = structlog.get_logger()


class GroupCommitStoppedError(ConnectionError):
    """No more commands are accepted: the process is shutting down."""


class Handler(Protocol[C_contra, R_co]):
    """Commits a group of commands."""

    def handle(self, commands: Sequence[C_contra]) -> Sequence[R_co]:
        """Return a reply per command, in order, once all are committed. Raises if none is."""


class _Waiting(Generic[C, R]):
    def __init__(self, command: C) -> None:
        self.command = command
        self.loop = asyncio.get_running_loop()
        self.reply: asyncio.Future[R] = self.loop.create_future()


class GroupCommit(Generic[C, R]):
    """Commits commands in groups of at most `limit`, on one thread."""

    name = "writer"

    def __init__(self, handler: Handler[C, R], limit: int, telemetry: Telemetry) -> None:
        self._handler = handler
        self._limit = limit
        self._group_size = telemetry.metrics.histogram(GROUP_SIZE)
        self._health = telemetry.health
        self._waiting: queue.SimpleQueue[_Waiting[C, R]] = queue.SimpleQueue()
        self._ended = False
        telemetry.metrics.on_scrape(WRITER_QUEUE, self._waiting.qsize)

    async def submit(self, command: C) -> R:
        """Return the reply to a command once its group is committed.

        Raises the handler's error, and GroupCommitStoppedError after the end.
        """
        waiting = _Waiting[C, R](command)
        self._waiting.put(waiting)
        if self._ended:  # checked after the put: the thread has ended, or will still read the command
            self._refuse_rest()
        return await waiting.reply

    def run(self, stop: threading.Event) -> None:
        """Commit groups until the stop, then the commands that are still waiting."""
        try:
            while not stop.is_set() or not self._waiting.empty():
                self._health.beat(self.name)
                group = self._gather(IDLE_S)
                # A request that was answered by 503 meanwhile is not worth a commit.
                if wanted := [waiting for waiting in group if not waiting.reply.done()]:
                    self._commit(wanted)
        finally:
            self._ended = True
            self._refuse_rest()

    def _refuse_rest(self) -> None:
        while group := self._gather(0):
            _schedule(group, partial(_fail, group, GroupCommitStoppedError("the writer has stopped")))

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
            replies = self._handler.handle([waiting.command for waiting in group])
        except Exception as error:  # any error must reach every caller
            log.exception("group not committed", commands=len(group))
            if len(group) == 1 or isinstance(error, UNAVAILABLE):
                _schedule(group, partial(_fail, group, error))
                return
            for waiting in group:  # one command's error must not fail the others
                self._commit([waiting])
        else:
            _schedule(group, partial(_resolve, group, replies))


def _schedule(group: Sequence[_Waiting[C, R]], callback: Callable[[], None]) -> None:
    # One wake-up of the loop for the whole group: waking it per reply costs more than the replies.
    with contextlib.suppress(RuntimeError):  # the loop ended with its server: no caller is waiting
        group[0].loop.call_soon_threadsafe(callback)


def _resolve(group: Sequence[_Waiting[C, R]], replies: Sequence[R]) -> None:
    for waiting, reply in zip(group, replies, strict=True):
        if not waiting.reply.done():  # the client may have disconnected
            waiting.reply.set_result(reply)


def _fail(group: Sequence[_Waiting[C, R]], error: Exception) -> None:
    for waiting in group:
        if not waiting.reply.done():
            waiting.reply.set_exception(error)


class Retrying(Generic[C, R]):
    """A handler that retries groups while the database is unreachable or busy, or aborts them because of a deadlock.

    The handler behind it must be idempotent: after a connection loss during COMMIT, the group may be committed.
    """

    def __init__(self, handler: Handler[C, R]) -> None:
        self._handler = handler

    def handle(self, commands: Sequence[C]) -> Sequence[R]:
        """Return the replies. Raises the last error after three attempts, or fewer if they take long."""
        started = time.monotonic()
        for attempt, delay_s in enumerate(BACKOFF_S, start=1):
            try:
                return self._handler.handle(commands)
            except UNAVAILABLE as error:
                if time.monotonic() - started > RETRY_WITHIN_S:
                    raise
                log.warning("group not committed, trying again", tried=attempt, error=str(error))
                time.sleep(delay_s)
        return self._handler.handle(commands)
