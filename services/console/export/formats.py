"""Formats of data files: what writes rows to a file, in flat memory."""

import enum
import importlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import IO

import msgspec

from services.console.export.rows import Row
from services.console.failures import UsageError

PARQUET = "services.console.export.parquet"
Write = Callable[[Sequence[Row]], None]
Opened = Callable[[IO[bytes]], AbstractContextManager[Write]]


class Format(enum.StrEnum):
    """The format of an export, which is the ending of its files."""

    JSONL = "jsonl"
    PARQUET = "parquet"


def opener(wanted: Format) -> Opened:
    """Return what opens a writer on a file, complete when it is closed. Raises UsageError without its library."""
    if wanted == Format.JSONL:
        return _json_lines
    try:
        opened: Opened = importlib.import_module(PARQUET).parquet  # imported by those who use it: it is large
    except ModuleNotFoundError as error:
        raise UsageError(
            f"{error}: `make parquet` installs what writes Parquet; --format jsonl needs nothing"
        ) from None
    return opened


def _json_lines(file: IO[bytes]) -> AbstractContextManager[Write]:
    encoder = msgspec.json.Encoder()
    return nullcontext(lambda rows: _write(file, encoder.encode_lines(rows)))


def _write(file: IO[bytes], lines: bytes) -> None:
    file.write(lines)
