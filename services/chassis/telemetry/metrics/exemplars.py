"""Traces beside durations: which trace a slow one belongs to."""

from services.chassis.messages import traceparent


def exemplar(context: str | None) -> dict[str, str] | None:
    """Return the trace of a context as an exemplar has it, None where nobody records it."""
    if context is not None and traceparent.is_sampled(context):
        return {"trace_id": context[3:35]}
    return None
