"""Parses trace contexts in their text form, `traceparent`.

Source: W3C Trace Context, section 3.2.
"""

from services.contracts.envelope import traceparent_of

SAMPLED_DIGITS = frozenset("13579bdf")  # the last bit of the flags


def read(text: str) -> str | None:
    """Return a `traceparent` as version 00, None if the text is not one."""
    return traceparent_of(text)


def is_sampled(traceparent: str | None) -> bool:
    """Return whether the trace is sampled."""
    return traceparent is not None and traceparent[-1:] in SAMPLED_DIGITS


def trace_id(traceparent: str | None) -> str | None:
    """Return the trace id of a context."""
    return None if traceparent is None else traceparent[3:35]
