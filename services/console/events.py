"""Records of the topics, decoded: followed from an offset, filtered, a line for each record.

Personal data is shown only to who asks for it: fields named `personal`, and addresses in any text.
"""

import contextlib
from collections.abc import Callable
from datetime import datetime
from typing import Annotated

import msgspec
import typer

from services.chassis.kafka.admin import KafkaAdmin
from services.chassis.kafka.partition_reader import PartitionReader
from services.chassis.kafka.settings import KafkaSettings
from services.chassis.messages.clock import EPOCH, Clock, zoned
from services.chassis.messages.printable import printable
from services.chassis.messages.record import Record
from services.console.failures import UnknownIdError, UsageError
from services.console.lag import PerPartition, partitions
from services.contracts import catalog
from services.contracts.envelope import Envelope, EnvelopeError, from_headers, to_text
from services.contracts.personal import masked

POLL_SECONDS = 0.25
BATCH = 500
WINDOW = 5000  # records that are put in order
HIDDEN = "(hidden: --personal shows it)"


class EventsOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The options of `console events`; every one has a default."""

    topic: Annotated[list[str], typer.Option(help="Only this topic; repeatable.")] = []
    type: Annotated[str | None, typer.Option(help="Only this ce_type, such as user.registered.")] = None
    subject: Annotated[str | None, typer.Option(help="Only this user id.")] = None
    correlation_id: Annotated[str | None, typer.Option(help="Only what this command led to.")] = None
    start: Annotated[str, typer.Option("--from", help="beginning, end, or a time: 2026-11-22T12:00:00Z.")] = "beginning"
    count: Annotated[int | None, typer.Option(min=1, help="End after so many.")] = None
    follow: Annotated[bool, typer.Option(help="At the end wait for more, until Ctrl-C.")] = True
    personal: Annotated[bool, typer.Option("--personal", help="Show personal data.")] = False
    short: Annotated[bool, typer.Option("--short", help="Without values.")] = False


def show(settings: KafkaSettings, options: EventsOptions, clock: Clock, write: Callable[[str], object]) -> None:
    """Write a line for each record that the options let through, in the order of their times within a window.

    Raises UsageError, UnknownIdError where nothing at all was found, and what the broker's clients raise.
    """
    starts = _starts(KafkaAdmin(settings, "console"), options, clock())
    shown = 0
    with contextlib.closing(PartitionReader(settings, "console-events", starts)) as tail:
        while options.follow or not tail.at_end:
            for record in sorted(_window(tail), key=lambda record: record.timestamp_ms):
                if not wanted(record, options):
                    continue
                write(line(record, personal=options.personal, short=options.short))
                shown += 1
                if shown == options.count:
                    return
    if not shown:
        asked = {name: value for name in ("type", "subject", "correlation_id") if (value := getattr(options, name))}
        what = ", ".join(f"{name} {value}" for name, value in asked.items()) or "anything"
        raise UnknownIdError(f"no record of {what} from the {options.start} on: check the id, or look `--from` earlier")


def wanted(record: Record, options: EventsOptions) -> bool:
    """Return whether the options let a record through; one without an envelope only when nothing is asked of it."""
    asked = (options.type, options.subject, options.correlation_id)
    if asked == (None, None, None):
        return True
    envelope = _envelope(record)
    if envelope is None:
        return False
    fields_of_record = (envelope.type, envelope.subject, envelope.correlation_id)
    return all(want in (None, has) for want, has in zip(asked, fields_of_record, strict=True))


def line(record: Record, *, personal: bool, short: bool = False) -> str:
    """Return a record as a line: time, place, type, subject with version, correlation id, refusal, value."""
    envelope = _envelope(record)
    value = " ".join(filter(None, (_refusal(record), "" if short else value_text(record.value, personal=personal))))
    if envelope is None:
        return f"{record.time or f'({record.timestamp_ms} ms)'} {record.place} (no envelope) {printable(value)}"
    what = f"{envelope.type} {envelope.subject} v{envelope.version} {envelope.correlation_id}"
    return printable(f"{to_text(envelope.time)} {record.place} {what} {value}")


def _window(tail: PartitionReader) -> list[Record]:
    """Return what arrives until nothing more does for a moment: partitions are read one after the other."""
    gathered: list[Record] = []
    while (records := tail.poll(BATCH, POLL_SECONDS)) and len(gathered) < WINDOW:
        gathered += records
    return gathered + list(records)


def _refusal(record: Record) -> str:
    """Return why a dead letter was refused, and where it was; nothing for other records."""
    found = {name: record.header(name) for name in ("dlq_reason", "dlq_topic", "dlq_partition", "dlq_offset")}
    if found["dlq_topic"] is None:
        return ""
    detail = dict(record.headers or []).get("dlq_detail") or b""
    place = "{dlq_topic}[{dlq_partition}]@{dlq_offset}".format_map(found)
    return f"dead letter of {place}, {found['dlq_reason']}: {masked(detail.decode(errors='backslashreplace'), HIDDEN)}"


def _starts(topics: KafkaAdmin, options: EventsOptions, now: datetime) -> PerPartition:
    known = [topic.name for topic in catalog.TOPICS]
    if unknown := sorted(set(options.topic) - set(known)):
        raise UnknownIdError(f"no topic {', '.join(unknown)} in the catalog; there are {', '.join(known)}")
    places = [place for place in partitions() if place.topic in (options.topic or known)]
    if options.start == "beginning":
        return topics.begins(places)
    if options.start == "end":
        return topics.ends(places)
    return topics.since(places, round(moment_of(f"--from {options.start!r}", options.start, now).timestamp() * 1000))


def moment_of(option: str, text: str, now: datetime, others: str = "beginning, end, or ") -> datetime:
    """Return the moment that a text names. Raises UsageError, which begins with `option` and names the other forms."""
    forms = f"write {others}a time with its zone, such as 2026-11-22T12:00:00Z"
    try:
        moment = zoned(text)
    except ValueError as error:
        raise UsageError(f"{option} {error}: {forms}") from None
    if moment < EPOCH:
        raise UsageError(f"{option} is before {to_text(EPOCH)}, where the times of records begin: {forms}")
    if moment > now:
        raise UsageError(f"{option} is in the future, now is {to_text(now)}: {forms}")
    return moment


def _envelope(record: Record) -> Envelope | None:
    try:
        return from_headers(record.headers or [])
    except EnvelopeError:
        return None


def value_text(value: bytes | None, *, personal: bool) -> str:
    """Return a record's value as text on one line."""
    if value is None:
        return "(tombstone)"
    try:
        decoded = msgspec.json.decode(value)
        return msgspec.json.encode(decoded if personal else masked(decoded, HIDDEN)).decode()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return repr(value) if personal else f"({len(value)} bytes that are no JSON)"
