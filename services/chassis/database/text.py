r"""Text from outside as both databases can store it: keys of records, replies of servers, messages of errors.

PostgreSQL's text has no NUL, and no database takes half of a surrogate pair. Both are escaped as `\x00` and `\ud800`.
"""

import re

ESCAPED = re.compile(rb"\\x([0-9a-f]{2})")
CONTROL = re.compile(rb"[\0-\x1f\x7f]")
BACKSLASH = re.compile(rb"\\(?=x[0-9a-f]{2})")


def storable(text: str) -> str:
    """Return a text for a person to read, without what no database can store."""
    if "\0" in text or not _is_encodable(text):
        return text.encode(errors="backslashreplace").replace(b"\0", rb"\x00").decode()
    return text


def escaped(content: bytes) -> str:
    """Return bytes as a storable text, distinct for distinct bytes; UTF-8 without controls stays as it is."""
    text = CONTROL.sub(lambda found: b"\\x%02x" % found[0][0], BACKSLASH.sub(rb"\\x5c", content))
    return text.decode(errors="backslashreplace")


def unescaped(text: str) -> bytes:
    """Return the bytes of an escaped text."""
    return ESCAPED.sub(lambda found: bytes.fromhex(found[1].decode()), text.encode())


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
