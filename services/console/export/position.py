"""Position file of an export: from which offset of each partition the next run goes on."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from services.console.failures import UsageError
from services.contracts.catalog import Topic

NEW = "start a new export in another folder, with --since and --out"
Offset = Annotated[int, msgspec.Meta(ge=0)]


class Gap(msgspec.Struct, frozen=True):
    """Offsets of a partition, `first` to `last`, that were deleted before they could be exported."""

    partition: int
    first: Offset
    last: Offset

    @property
    def records(self) -> int:
        """How many offsets these are."""
        return self.last - self.first + 1


class Position(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How far an export is. It is the commit of a run: what is behind `next` has been exported, once.

    `since`, `format` and `personal` are as they were given at the start. `next` has the offset by partition;
    `files` and `records` are numbers of all runs, `gaps` those of all runs.
    """

    version: Literal[1] = 1
    topic: str
    topic_id: str
    since: str
    format: Literal["jsonl", "parquet"]
    personal: bool
    next: dict[int, Offset]
    files: Offset = 0
    records: Offset = 0
    gaps: list[Gap] = []
    made_at: datetime


def load(path: Path, topic: Topic) -> Position:
    """Read a position file. Raises UsageError with the next step, FileNotFoundError."""
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Position)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"{path} is no position file, or damaged: {error}; restore it, or {NEW}") from None
    if found.topic != topic.name:
        raise UsageError(f"{path} is the position of {found.topic}, not of {topic.name}: name its own file")
    if set(found.next) != set(range(topic.partitions)):
        raise UsageError(f"{path} has partitions {sorted(found.next)}, {topic.name} has {topic.partitions}: {NEW}")
    return found


def text(position: Position) -> bytes:
    """Return the content of a position file: JSON that a person can read."""
    return msgspec.json.format(msgspec.json.encode(position), indent=2) + b"\n"
