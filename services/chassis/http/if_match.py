"""The header If-Match (RFC 9110, section 13.1.1): `*`, or a list of entity tags, one of which must match."""

import re
from collections.abc import Sequence

from services.chassis.http.problems import Refused

# An element of a list, which may be empty (section 5.6.1), with the comma after it; a tag may contain commas.
ELEMENT = re.compile(r'[ \t]*(?:(W/)?"([\x21\x23-\x7e\x80-\xff]*)")?[ \t]*(?:,|\Z)')
SHOWN = 40  # characters of a refused value


def strong_tags(lines: Sequence[str]) -> frozenset[str] | None:
    """Return the tags that the header's lines list, without quotes; None for `*`.

    Weak tags are left out: they match nothing. Raises Refused for a missing header and for another form.
    """
    if not lines:
        raise Refused(428, "If-Match is missing: send the ETag of the version that you read, or * for any")
    text = ", ".join(lines).strip()
    return None if text == "*" else frozenset(_tags(text))


def _tags(text: str) -> list[str]:
    tags, end = [], 0
    while end < len(text):
        element = ELEMENT.match(text, end)
        if element is None:
            raise Refused(400, f'If-Match {text[:SHOWN]!r} is no list of ETags: send one as it came, such as "3", or *')
        end = element.end()
        weak, tag = element.groups()
        if tag is not None and not weak:
            tags.append(tag)
    return tags
