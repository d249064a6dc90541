"""How the console says that something failed: an exit code for each kind, a message that says what to do.

An error that a person can mend is told without a traceback; any other is a mistake of ours and keeps it.
"""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import aiohttp

from services.chassis.kafka.source import SourceError
from services.chassis.kafka.topics import BrokerRefusedError, BrokerUnavailableError, TopicsError
from services.chassis.settings import SettingsError
from services.chassis.sockets import AddressError
from services.console.demo.client import RefusedError
from services.console.local.ports import PortTakenError
from services.console.local.processes import ProcessError

WRONG = 1  # what was counted, verified or measured is not as it must be
INTERRUPTED = 130  # what a shell says of a program that SIGINT ended


class UsageError(Exception):
    """An argument cannot be understood; the message says how to write it."""


class UnknownIdError(Exception):
    """Nothing has the id that was asked for; the message says where it was looked for."""


CODES: dict[type[BaseException], int] = {
    UsageError: 2,  # as click's own
    SettingsError: 2,  # as every service's
    PortTakenError: 3,
    AddressError: 3,
    BrokerRefusedError: 4,  # says itself what to do
    BrokerUnavailableError: 4,
    UnknownIdError: 5,
    ProcessError: 6,
    RefusedError: 7,
    aiohttp.ClientError: 7,
    FileNotFoundError: 8,
    SourceError: 9,
    TopicsError: 9,
}
EXPECTED = tuple(CODES)
ADVICE = {
    BrokerUnavailableError: "no broker answers: start one with `make run`, or set APP_KAFKA_BOOTSTRAP_SERVERS to one",
    aiohttp.ClientError: "a service does not answer: start the system with `make run`, or correct its address",
}


@contextmanager
def told() -> Iterator[None]:
    """Turn SIGTERM into an orderly way out, and an expected error into its message and exit code."""
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    except KeyboardInterrupt:
        sys.stderr.write("stopped before the end\n")
        sys.exit(INTERRUPTED)
    except EXPECTED as error:
        _end([error])
    except BaseExceptionGroup as group:
        expected, others = group.split(EXPECTED)
        if others is not None or expected is None:
            raise
        _end(list(_leaves(expected)))


def _end(errors: list[BaseException]) -> None:
    kinds = [next(kind for kind in CODES if isinstance(error, kind)) for error in errors]
    lines = [str(error) or repr(error) for error in errors] + [
        ADVICE[kind] for kind in dict.fromkeys(kinds) if kind in ADVICE
    ]
    sys.stderr.write("\n".join(lines) + "\n")
    sys.exit(CODES[kinds[0]])


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error
