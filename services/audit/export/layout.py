"""Files of an export, and the lines of its records and checkpoints.

`public` is the log as C2SP tlog-tiles has it, without any record's content: a static web server may serve it. Records
hold personal data. A line is the only JSON of what it holds: any other text for the same is refused.
"""

from pathlib import Path
from typing import NamedTuple, TypeVar

import msgspec

from services.chassis.transparency.tiles import TilePath

T = TypeVar("T")
ENTRIES = "tile/entries/"
SUFFIX = ".jsonl"


class ExportError(Exception):
    """The folder is no export, or not the one of this log; the message gives the reason."""


class SavedNote(msgspec.Struct, frozen=True):
    """A line of `checkpoints.jsonl`: a checkpoint's size, and its note."""

    size: int
    note: str


class Layout(NamedTuple):
    """The paths of an export."""

    folder: Path

    @property
    def origin(self) -> Path:
        """The log's name, the first file that is written."""
        return self.folder / "origin"

    @property
    def checkpoint(self) -> Path:
        """The checkpoint that covers the export. It is replaced after everything that it covers is there."""
        return self.folder / "public" / "checkpoint"

    @property
    def checkpoints(self) -> Path:
        """All checkpoints up to that one."""
        return self.folder / "checkpoints.jsonl"

    def resource(self, path: TilePath) -> Path:
        """A tile or a bundle of entries."""
        return self.folder / "public" / path.text()

    def records(self, bundle: TilePath) -> Path:
        """The records of a bundle's entries, a line each."""
        return self.folder / "records" / (bundle.text().removeprefix(ENTRIES) + SUFFIX)

    def value(self, position: int) -> Path:
        """The value of an entry's record that is too large for a line."""
        return self.folder / "values" / str(position)

    def last_records(self) -> int:
        """Return the number of the last bundle with records, -1 without one."""
        root = self.folder / "records"
        names = (path.relative_to(root).as_posix().removesuffix(SUFFIX) for path in root.rglob(f"*{SUFFIX}"))
        return max((TilePath.parse(ENTRIES + name).index for name in names), default=-1)


def encoded(content: msgspec.Struct) -> bytes:
    """Return a line with its end; bytes are in base64."""
    return msgspec.json.encode(content) + b"\n"


def decoded(line: bytes, kind: type[T]) -> T:
    """Return what a line holds. Raises ValueError for anything but the only line of it."""
    try:
        content = msgspec.json.decode(line, type=kind)
    except msgspec.MsgspecError as error:
        raise ValueError(f"it cannot be read: {error}") from None
    if msgspec.json.encode(content) + b"\n" != line:
        raise ValueError("it is not the only JSON of what it holds (base64, blanks, order of names, end of the line)")
    return content
