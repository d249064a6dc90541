"""The history of clients, as Jepsen keeps it: each request with its meaning, its times, its outcome and what was read.

One JSON object a line. A line is written when the request has ended; one that is repeated with its Idempotency-Key has
a line for each attempt.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from http import HTTPStatus
from pathlib import Path
from typing import BinaryIO

import msgspec


class Result(StrEnum):
    """How a request ended. Of an unknown one it is not known whether it was carried out."""

    OK = "ok"
    FAIL = "fail"
    UNKNOWN = "unknown"


class _User(msgspec.Struct):
    """The parts of every answer that a history has."""

    user_id: str
    version: int


class Operation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One attempt of a request. Times are in seconds since 1970, by the client's clock.

    `version` is the user's version in the answer to a command, or the one that was read.
    """

    kind: str
    command: str
    result: Result
    began: float
    ended: float
    user_id: str = ""
    version: int = 0
    error: str = ""

    def answered(self, status: int, body: bytes) -> "Operation":
        """Return the operation with the outcome that an HTTP answer means; after a 5xx it stays unknown."""
        if status < HTTPStatus.BAD_REQUEST:
            user = msgspec.json.decode(body, type=_User)
            return msgspec.structs.replace(self, result=Result.OK, user_id=user.user_id, version=user.version)
        result = Result.UNKNOWN if status >= HTTPStatus.INTERNAL_SERVER_ERROR else Result.FAIL
        return msgspec.structs.replace(self, result=result, error=f"{status} {body.decode(errors='replace')}")

    @property
    def is_read(self) -> bool:
        """Return whether it changes nothing."""
        return self.kind == "read"


class HistoryError(ValueError):
    """A file is no history; the message names the line."""


class Recorder:
    """Appends operations to a file that is open."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def add(self, operation: Operation) -> None:
        """Append an operation."""
        self._file.write(msgspec.json.encode(operation) + b"\n")


@contextmanager
def recording(path: Path | None) -> Iterator[Recorder | None]:
    """Yield a recorder that appends to a file, None without one. Raises OSError."""
    if path is None:
        yield None
        return
    with path.open("ab") as file:
        yield Recorder(file)


def read(path: Path) -> Iterator[Operation]:
    """Return the operations of a file in its order. Raises HistoryError, OSError."""
    decoder = msgspec.json.Decoder(Operation)
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            try:
                yield decoder.decode(line)
            except msgspec.DecodeError as error:
                raise HistoryError(f"{path}:{number} is no operation of a history: {error}") from error
