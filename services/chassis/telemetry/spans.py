"""The spans of what is done in batches: commands committed, events published, records processed.

Looks only at what somebody records, and at nothing while tracing is off. Names and attributes follow OpenTelemetry's
conventions for databases and messaging; keys and values, which may be personal, stay out.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TypeVar

from msgspec.structs import replace

from services.chassis.messages.event import StoredEvent
from services.chassis.messages.record import Record
from services.chassis.messages.traceparent import SAMPLED_DIGITS, is_sampled
from services.chassis.telemetry.tracing import Attributes, Span, Tracing, Work, joined

KAFKA: Attributes = {"messaging.system": "kafka"}
PUBLISH: Attributes = {**KAFKA, "messaging.operation.name": "publish", "messaging.operation.type": "send"}
PROCESS: Attributes = {**KAFKA, "messaging.operation.name": "process", "messaging.operation.type": "process"}
COUNT = "messaging.batch.message_count"
FLAGGED = frozenset(digit.encode() for digit in SAMPLED_DIGITS)
T = TypeVar("T")


def appending(make: Tracing, system: str, contexts: Iterable[str | None]) -> AbstractContextManager[object]:
    """Span the commit of a group of commands, each given by its context. `system` names the database."""
    if not make.on:
        return nullcontext()
    given = list(contexts)
    names = {"db.system.name": system, "db.operation.name": "append", "db.collection.name": "events"}
    work = Work("append events", "client", {**names, "db.operation.batch.size": len(given)})
    return joined(make, work, [(work, context) for context in given if context and is_sampled(context)])


@contextmanager
def publishing(make: Tracing, events: Sequence[StoredEvent]) -> Iterator[Sequence[StoredEvent]]:
    """Span the publishing of a chunk; yield its events, those that are recorded with their span as their context."""
    traced = _sampled(stored.event.metadata.traceparent for stored in events) if make.on else {}
    count: Attributes = {**PUBLISH, COUNT: len(events)}
    parts = [(_publish(events[place]), context) for place, context in traced.items()]
    with joined(make, Work("publish", "client", count), parts) as spans:
        yield _with(events, traced, spans, _leading_on)


@contextmanager
def processing(make: Tracing, group: str, records: Sequence[Record]) -> Iterator[Sequence[Record]]:
    """Span the processing of a batch; yield its records, those that are recorded with their span as their `context`."""
    traced = _sampled(record.traceparent if _flagged(record) else None for record in records) if make.on else {}
    whole: Attributes = {**PROCESS, "messaging.consumer.group.name": group, COUNT: len(records)}
    parts = [(_process(records[place], whole), context) for place, context in traced.items()]
    with joined(make, Work("process", "consumer", whole), parts) as spans:
        yield _with(records, traced, spans, _worked_on)


def _sampled(contexts: Iterable[str | None]) -> dict[int, str]:
    return {place: context for place, context in enumerate(contexts) if context and is_sampled(context)}


def _flagged(record: Record) -> bool:
    # A look at one byte: of 30,000 records a second few are to be read, and reading takes a microsecond each.
    for name, value in reversed(record.headers or ()):
        if name == "traceparent":
            return value is not None and value[-1:] in FLAGGED
    return False


def _with(
    items: Sequence[T], traced: Iterable[int], spans: Iterable[Span], carry: Callable[[T, str | None], T]
) -> Sequence[T]:
    if not traced:
        return items
    carried = list(items)
    for place, span in zip(traced, spans, strict=True):
        carried[place] = carry(items[place], span.traceparent)
    return carried


def _leading_on(stored: StoredEvent, context: str | None) -> StoredEvent:
    metadata = replace(stored.event.metadata, traceparent=context)
    return replace(stored, event=replace(stored.event, metadata=metadata))


def _worked_on(record: Record, context: str | None) -> Record:
    return replace(record, context=context)


def _publish(stored: StoredEvent) -> Work:
    event = stored.event
    event_attributes = {"cloudevents.event_id": event.event_id, "cloudevents.event_type": event.type}
    return Work(f"publish {event.type}", "producer", {**PUBLISH, **event_attributes})


def _process(record: Record, whole: Attributes) -> Work:
    place: Attributes = {
        "messaging.destination.name": record.topic,
        "messaging.destination.partition.id": str(record.partition),
        "messaging.kafka.offset": record.offset,
    }
    event_attributes = {f"cloudevents.event_{name}": record.header(f"ce_{name}") or "" for name in ("id", "type")}
    return Work(f"process {record.topic}", "consumer", {**whole, **place, **event_attributes})
