"""Parses trace contexts in their text form, `traceparent`.

Source: W3C Trace Context, section 3.2.
"""

import re

IDS = "((?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2})"
# Later versions than 00 start with the same four parts and may add more.
FORM = re.compile(rf"00-{IDS}|(?!00|ff)[0-9a-f]{{2}}-{IDS}(?:-.*)?")
SAMPLED_DIGITS = frozenset("13579bdf")  # the last bit of the flags


def read(text: str) -> str | None:
    """Return a `traceparent` as version 00, None if the text is not one."""
    found = FORM.fullmatch(text)
    return f"00-{found[1] or found[2]}" if found else None


def is_sampled(traceparent: str | None) -> bool:
    """Return whether the trace is sampled."""
    return traceparent is not None and traceparent[-1:] in SAMPLED_DIGITS


def trace_id(traceparent: str | None) -> str | None:
    """Return the trace id of a context."""
    return None if traceparent is None else traceparent[3:35]
