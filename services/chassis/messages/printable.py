"""Text from outside on one line of a terminal: no control sequence, no line break, no reordered text."""

import re

# Controls of ASCII and Latin-1, line separators, bidirectional controls, halves of surrogate pairs.
UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")


def printable(text: str) -> str:
    r"""Return a text with such characters escaped: `\x1b`, `\u202e`."""
    return UNPRINTABLE.sub(_escape, text)


def printable_lines(text: str) -> str:
    """Return a text of our own that has lines and may quote text from outside."""
    return "\n".join(map(printable, text.split("\n")))


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"  # noqa: PLR2004  # the codes of one byte
