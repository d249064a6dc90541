"""A held record in full: headers, value, why it is held, and what the present code makes of it."""

from collections.abc import Iterator

from services.chassis.consumer.decoding import Decoder, UnknownShapeError
from services.chassis.consumer.held.reasons import CAUSES, LATER_RECORDS
from services.chassis.consumer.held.record import Held, key_of
from services.chassis.messages.printable import printable
from services.chassis.messages.record import Record
from services.console.events import HIDDEN, value_text
from services.contracts.catalog import TOPICS, TYPES
from services.contracts.envelope import to_text
from services.contracts.personal import masked

RETRY = "whether its handler applies it, a retry shows: `console held retry`"


def lines(one: Held, *, personal: bool) -> Iterator[str]:
    """Yield the lines that describe a record; personal data only if it is asked for."""
    record = one.record
    cause = next((cause for cause in CAUSES if cause.reason == one.reason), None)
    yield f"record     {record.place}, topic id {printable(one.topic_id) or 'unknown'}"
    yield f"key        {'(null)' if record.key is None else printable(key_of(record))}"
    yield f"state      {one.state}{_history(one)}"
    yield f"since      {to_text(one.since)}"
    yield f"reason     {one.reason}: {_hidden(one.detail, personal=personal)}"
    if cause is not None:
        yield f"meaning    {cause.meaning} Later records of its key {LATER_RECORDS[cause.state]}."
        yield f"to do      {cause.remedy}"
    yield f"code now   {_hidden(verdict(record), personal=personal)}"
    yield "headers" if record.headers else "headers    none" if record.headers is not None else "headers    unreadable"
    for name, value in record.headers or ():
        content = "(null)" if value is None else value.decode(errors="backslashreplace")
        yield f"           {printable(name)}: {_hidden(content, personal=personal)}"
    yield f"value      {printable(value_text(record.value, personal=personal))}"


def verdict(record: Record) -> str:
    """Return what this program's decoder makes of a record."""
    types = {name: TYPES[name] for topic in TOPICS if topic.name == record.topic for name in topic.types}
    tombstones = frozenset(topic.name for topic in TOPICS if topic.cleanup == "compact")
    try:
        decoded = Decoder(types, tombstones).decode([record])
    except UnknownShapeError as error:
        return f"newer_version: {error}"
    if decoded.refused:
        (refusal,) = decoded.refused
        return f"{refusal.reason}: {refusal.detail}"
    if not decoded.events:
        return "a type that does not belong to this topic: a retry passes over it"
    envelope = decoded.events[0].envelope
    return f"decodes as {envelope.type} of {envelope.subject}, version {envelope.version}; {RETRY}"


def _history(one: Held) -> str:
    parts = [f", {one.attempts} retries failed" if one.attempts else ""]
    if one.retry:
        parts.append(", a retry is requested")
    if one.published_at is not None:
        parts.append(f", its letter was published at {to_text(one.published_at)}")
    if one.finished_at is not None:
        parts.append(f" at {to_text(one.finished_at)}")
    return "".join(parts)


def _hidden(text: str, *, personal: bool) -> str:
    return printable(text if personal else str(masked(text, HIDDEN)))
