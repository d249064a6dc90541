"""Spans of a batch: which of its items are recorded, and their contexts afterwards.

Names and attributes of the spans, in the rooms that process batches, follow OpenTelemetry's conventions for databases
and messaging; keys and values, which may be personal, are left out.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from services.chassis.messages.traceparent import is_sampled
from services.chassis.telemetry.tracing import Attributes, Span

KAFKA: Attributes = {"messaging.system": "kafka"}
COUNT = "messaging.batch.message_count"
T = TypeVar("T")


def sampled(contexts: Iterable[str | None]) -> dict[int, str]:
    """Return the contexts that somebody records, by their place in the batch."""
    return {place: context for place, context in enumerate(contexts) if context and is_sampled(context)}


def with_contexts(
    items: Sequence[T], traced: Iterable[int], spans: Iterable[Span], carry: Callable[[T, str | None], T]
) -> Sequence[T]:
    """Return the items of a batch; `carry` gives each traced one the context of its span."""
    if not traced:
        return items
    carried = list(items)
    for place, span in zip(traced, spans, strict=True):
        carried[place] = carry(items[place], span.traceparent)
    return carried
