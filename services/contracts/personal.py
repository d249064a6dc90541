"""Masks personal data for display: fields named `personal`, and mail addresses in any other text."""

import re

# The place of a record, `user.state.v1[3]@17`, is no address; nor is the end of one, where a search goes on.
PLACE = r"[\w.-]*\[?\d*\]@\d+(?=[\s<>,;:\"']|\Z)"
ADDRESS = re.compile(rf"(?!{PLACE})[^\s<>,;:\"']+@[^\s<>,;:\"']+")
MESSAGE_ID = "message_id"  # has the form of an address and names nobody
HIDDEN = "(hidden)"


def masked(value: object, hidden: str = HIDDEN) -> object:
    """Return a decoded JSON value with `hidden` in place of everything personal."""
    if isinstance(value, dict):
        return {name: _field(name, inner, hidden) for name, inner in value.items()}
    if isinstance(value, list):
        return [masked(inner, hidden) for inner in value]
    # The search takes most of the time, and most texts have no address.
    return ADDRESS.sub(hidden, value) if isinstance(value, str) and "@" in value else value


def _field(name: str, value: object, hidden: str) -> object:
    if name == "personal":
        return hidden
    return value if name == MESSAGE_ID and isinstance(value, str) else masked(value, hidden)
