"""One run of an export: from the position, or the start of the export, to the ends that the topic has now."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn

from services.chassis.kafka.admin import KafkaAdmin
from services.chassis.kafka.settings import KafkaSettings
from services.chassis.messages.clock import Clock
from services.chassis.messages.record import Record
from services.chassis.messages.terminal import progress
from services.console.export import position as positions
from services.console.export import source
from services.console.export.files import Files
from services.console.export.formats import Format, Opened, opener
from services.console.export.position import NEW, Gap, Position
from services.console.export.rows import Rows
from services.console.failures import UsageError
from services.contracts.catalog import Topic

COLUMNS = (
    TextColumn("exporting"),
    BarColumn(),
    MofNCompleteColumn(),
    TextColumn("records, {task.fields[rate]} a second"),
)


class Wanted(msgspec.Struct, frozen=True):
    """The request. Without `since` a position must be there; without `format` it is the position's, or jsonl."""

    since: str | None
    format: Format | None
    personal: bool


class Exported(msgspec.Struct, frozen=True):
    """The result of a run, and the position that it committed."""

    position: Position
    records: int
    seconds: float
    undecoded: Counter[str]
    gaps: Sequence[Gap]


class Run:
    """A run on the files of an export."""

    def __init__(self, client: KafkaSettings, topic: Topic, files: Files, clock: Clock) -> None:
        self._client = client
        self._admin = KafkaAdmin(client, "console")
        self._topic = topic
        self._files = files
        self._clock = clock

    def run(self, wanted: Wanted) -> Exported:
        """Export what is new and commit it. Raises UsageError, OSError, and what the broker's clients raise."""
        topic_id = self._id()
        with self._files.locked():
            before = self._before(wanted, topic_id)
            span = source.span(self._admin, self._topic, before.next)
            rows, started = Rows(self._topic, personal=before.personal), time.perf_counter()
            after = self._after(before, span)
            if span.records:
                self._write(after, span, rows)
            self._require(topic_id)
            after = msgspec.structs.replace(after, records=before.records + rows.written)
            self._files.commit(after)
        return Exported(after, rows.written, time.perf_counter() - started, rows.undecoded, span.gaps)

    def _before(self, wanted: Wanted, topic_id: str) -> Position:
        """Return the position from which the run goes on; that of the start, where there is none yet."""
        path = self._files.position
        if not path.exists():
            return self._start(wanted, topic_id)
        found = positions.load(path, self._topic)
        if problem := _contradiction(found, wanted):
            raise UsageError(f"{path} is of an export {problem}, or {NEW}")
        self._require(found.topic_id)
        self._files.name_data(found)
        return found

    def _start(self, wanted: Wanted, topic_id: str) -> Position:
        return Position(
            topic=self._topic.name,
            topic_id=topic_id,
            since=wanted.since or "",
            format=(wanted.format or Format.JSONL).value,
            personal=wanted.personal,
            next=source.first(self._admin, self._topic, wanted.since),
            made_at=self._clock(),
        )

    def _after(self, before: Position, span: source.Span) -> Position:
        return msgspec.structs.replace(
            before,
            files=before.files + bool(span.records),
            next={place.partition: end for place, end in span.ends.items()},
            gaps=[*before.gaps, *span.gaps],
            made_at=self._clock(),
        )

    def _write(self, after: Position, span: source.Span, rows: Rows) -> None:
        opened: Opened = opener(Format(after.format))
        with self._files.writing(after) as file, opened(file) as write:
            for batch in _shown(source.read(self._client, span), span.records):
                write(rows.of(batch))

    def _id(self) -> str:
        return self._admin.ids([self._topic.name])[self._topic.name]

    def _require(self, topic_id: str) -> None:
        if self._id() != topic_id:
            changed = f"{self._topic.name} was deleted and created again: it is another topic, with offsets of its own"
            raise UsageError(f"{changed}; {NEW}")


def _contradiction(found: Position, wanted: Wanted) -> str:
    """Return what a position contradicts, and how to go on; nothing where it is the same export."""
    if wanted.since not in {None, found.since}:
        return f"since {found.since}: go on with --from"
    if wanted.format not in {None, found.format}:
        return f"in {found.format}: go on without --format"
    if wanted.personal and not found.personal:
        return "without personal data: go on without --personal"
    return "with personal data: go on with --personal" if found.personal and not wanted.personal else ""


def _shown(batches: Iterator[list[Record]], total: int) -> Iterator[list[Record]]:
    """Show the progress of batches."""
    started = time.perf_counter()
    with progress(Console(stderr=True), *COLUMNS) as bars:
        bar, done = bars.add_task("", total=total, rate="0"), 0
        for batch in batches:
            yield batch
            done += len(batch)
            bars.update(bar, completed=done, rate=f"{done / (time.perf_counter() - started):,.0f}")
