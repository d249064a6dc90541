"""Runs a program that kills itself with SIGKILL before or after a durable step.

`python -m tests.support.crash.at before|after STEP PROGRAM ARGUMENTS...`; a step has its name in `steps`. Before a
commit, everything else of the transaction is done. No line of the program changes: the calls that make a step durable
are wrapped, and look which line calls them.
"""

import importlib
import os
import signal
import smtplib
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from services.chassis.database.database import Database
from services.chassis.kafka.group_consumer import GroupConsumer
from services.chassis.kafka.producer import Producer
from services.chassis.outbox.lease import Leases
from services.notification.mail.smtp_connection import Client
from tests.support.crash.steps import Step, found
from tests.support.killed import run

BEFORE, AFTER = MOMENTS = ("before", "after")
TRANSACTIONS: tuple[tuple[Any, str], ...] = ((Database, "write"), (Leases, "writing"))
CALLS: tuple[tuple[Any, str], ...] = (
    (Producer, "publish"),
    (GroupConsumer, "commit"),
    (smtplib.SMTP, "send"),
    (Client, "getreply"),
    (os, "fsync"),
    (Path, "replace"),
    (Path, "rename"),
)


def through(when: str, step: str) -> tuple[str, ...]:
    """Return the arguments between `python -m` and the program."""
    return __name__, when, step


def die() -> None:
    """End this process as a lost machine would."""
    os.kill(os.getpid(), signal.SIGKILL)


class Crash:
    """A step, and whether the process ends before or after it."""

    def __init__(self, step: Step, when: str) -> None:
        module, _, self._function = step.function.partition(":")
        self._module = module
        self._step = step
        self._when = when

    def is_here(self, frame: FrameType) -> bool:
        """Return whether a frame is at the step."""
        is_there = frame.f_globals.get("__name__") == self._module and frame.f_code.co_qualname == self._function
        return is_there and self._step.first <= frame.f_lineno <= self._step.last

    def call(self, inner: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that is a step where it is called from there."""

        def call(*arguments: Any, **named: Any) -> Any:
            is_here = self.is_here(sys._getframe(1))  # noqa: SLF001  # the only way to the caller
            if is_here and self._when == BEFORE:
                die()
            result = inner(*arguments, **named)
            if is_here and self._when == AFTER:
                die()
            return result

        return call

    def transaction(self, inner: Callable[..., AbstractContextManager[Any]]) -> Callable[..., Any]:
        """Return a function that opens a transaction, whose commit is a step where it is called from there."""

        def call(*arguments: Any, **named: Any) -> AbstractContextManager[Any]:
            opened = inner(*arguments, **named)
            return self._committed(opened) if self.is_here(sys._getframe(1)) else opened  # noqa: SLF001  # as above

        return call

    @contextmanager
    def _committed(self, opened: AbstractContextManager[Any]) -> Iterator[Any]:
        with opened as connection:
            yield connection
            if self._when == BEFORE:
                die()
        die()


def main(when: str, name: str, program: str, *arguments: str) -> None:
    """Run the program."""
    (step,) = (one for one in found() if one.name == name)
    crash = Crash(step, when)
    for owner, attribute in TRANSACTIONS:
        setattr(owner, attribute, crash.transaction(getattr(owner, attribute)))
    for owner, attribute in CALLS:
        setattr(owner, attribute, crash.call(getattr(owner, attribute)))
    importlib.import_module(step.function.partition(":")[0])
    run(program, *arguments)


if __name__ == "__main__":
    main(*sys.argv[1:])
