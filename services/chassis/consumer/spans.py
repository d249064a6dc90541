"""Spans of the read side: a batch of records processed."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from msgspec.structs import replace

from services.chassis.messages.record import Record
from services.chassis.messages.traceparent import SAMPLED_DIGITS
from services.chassis.telemetry.batch_spans import COUNT, KAFKA, sampled, with_contexts
from services.chassis.telemetry.tracing import Attributes, Tracing, Work, joined

PROCESS: Attributes = {**KAFKA, "messaging.operation.name": "process", "messaging.operation.type": "process"}
FLAGGED = frozenset(digit.encode() for digit in SAMPLED_DIGITS)


@contextmanager
def processing(make: Tracing, group: str, records: Sequence[Record]) -> Iterator[Sequence[Record]]:
    """Span the processing of a batch; yield its records, those that are recorded with their span as their `context`."""
    traced = sampled(record.traceparent if _flagged(record) else None for record in records) if make.on else {}
    whole: Attributes = {**PROCESS, "messaging.consumer.group.name": group, COUNT: len(records)}
    parts = [(_process(records[place], whole), context) for place, context in traced.items()]
    with joined(make, Work("process", "consumer", whole), parts) as spans:
        yield with_contexts(records, traced, spans, _worked_on)


def _flagged(record: Record) -> bool:
    # A look at one byte: of 30,000 records a second few are to be read, and reading takes a microsecond each.
    for name, value in reversed(record.headers or ()):
        if name == "traceparent":
            return value is not None and value[-1:] in FLAGGED
    return False


def _worked_on(record: Record, context: str | None) -> Record:
    return replace(record, context=context)


def _process(record: Record, whole: Attributes) -> Work:
    place: Attributes = {
        "messaging.destination.name": record.topic,
        "messaging.destination.partition.id": str(record.partition),
        "messaging.kafka.offset": record.offset,
    }
    event_attributes = {f"cloudevents.event_{name}": record.header(f"ce_{name}") or "" for name in ("id", "type")}
    return Work(f"process {record.topic}", "consumer", {**whole, **place, **event_attributes})
