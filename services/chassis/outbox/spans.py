"""Spans of the write side: a group of commands appended, a chunk of events published."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext

from msgspec.structs import replace

from services.chassis.messages.event import StoredEvent
from services.chassis.messages.traceparent import is_sampled
from services.chassis.telemetry.batch_spans import COUNT, KAFKA, sampled, with_contexts
from services.chassis.telemetry.tracing import Attributes, Tracing, Work, joined

PUBLISH: Attributes = {**KAFKA, "messaging.operation.name": "publish", "messaging.operation.type": "send"}


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
    traced = sampled(stored.event.metadata.traceparent for stored in events) if make.on else {}
    count: Attributes = {**PUBLISH, COUNT: len(events)}
    parts = [(_publish(events[place]), context) for place, context in traced.items()]
    with joined(make, Work("publish", "client", count), parts) as spans:
        yield with_contexts(events, traced, spans, _leading_on)


def _leading_on(stored: StoredEvent, context: str | None) -> StoredEvent:
    metadata = replace(stored.event.metadata, traceparent=context)
    return replace(stored, event=replace(stored.event, metadata=metadata))


def _publish(stored: StoredEvent) -> Work:
    event = stored.event
    event_attributes = {"cloudevents.event_id": event.event_id, "cloudevents.event_type": event.type}
    return Work(f"publish {event.type}", "producer", {**PUBLISH, **event_attributes})
