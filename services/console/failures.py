"""Exit codes and messages of command-line failures.

An error that the caller can correct is printed without a traceback; any other is a bug and keeps it.
"""

import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType

from services.chassis.kafka.access.acls import AccessRefusedError
from services.chassis.kafka.admin import BrokerAnswerError, BrokerRefusedError, BrokerUnavailableError, TopicsError
from services.chassis.kafka.group_consumer import PartitionReadError
from services.chassis.messages.printable import printable_lines
from services.chassis.net.sockets import AddressError
from services.chassis.settings.environment import SettingsError

WRONG = 1  # what was counted, verified or measured is not as it must be
INTERRUPTED = 130  # exit code of a program that SIGINT ended


class UsageError(Exception):
    """An argument cannot be understood; the message shows how to write it."""


class UnknownIdError(Exception):
    """Nothing has the id that was asked for; the message names the searched places."""


class RightsError(Exception):
    """The rights in the broker are not those of the table; the message lists them and gives the remedy."""


class UnfinishedError(Exception):
    """A request is not done, or not yet; the message has how far it is, and where to look."""


Codes = Mapping[type[BaseException], int]
CODES: Codes = {
    UsageError: 2,  # as click's own
    SettingsError: 2,  # as every service's
    AddressError: 3,
    AccessRefusedError: 4,  # its message has the next step
    BrokerAnswerError: 4,  # it runs, so there is no advice to start one
    BrokerRefusedError: 4,  # as above
    BrokerUnavailableError: 4,
    UnknownIdError: 5,
    ConnectionError: 7,
    FileNotFoundError: 8,
    PartitionReadError: 9,
    TopicsError: 9,
    RightsError: 9,
    UnfinishedError: 10,
}
ADVICE: Mapping[type[BaseException], str] = {
    BrokerUnavailableError: "no broker answers: start one with `make run`, or set APP_KAFKA_BOOTSTRAP_SERVERS to one",
}


@contextmanager
def reported(codes: Codes = CODES, advice: Mapping[type[BaseException], str] = ADVICE) -> Iterator[None]:
    """Turn SIGTERM into an orderly end, and an expected error into its message and exit code."""
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    except KeyboardInterrupt:
        sys.stderr.write("stopped before the end\n")
        sys.exit(INTERRUPTED)
    except BaseException as error:
        expected, others = BaseExceptionGroup("", [error]).split(tuple(codes))
        if others is not None or expected is None:
            raise
        sys.exit(_report(list(_leaves(expected)), codes, advice))


def _report(errors: list[BaseException], codes: Codes, advice: Mapping[type[BaseException], str]) -> int:
    types = [next(kind for kind in codes if isinstance(error, kind)) for error in errors]
    lines = [printable_lines(str(error) or repr(error)) for error in errors]
    lines += [advice[kind] for kind in dict.fromkeys(types) if kind in advice]
    sys.stderr.write("\n".join(lines) + "\n")
    return codes[types[0]]


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error
