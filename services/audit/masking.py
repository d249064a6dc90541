"""Headers and values of entries as text for display; personal data is masked unless it is asked for."""

import msgspec

from services.audit.domain import Entry, unpack_headers
from services.contracts.personal import masked

# Masking is recursive as the decoder is, and gives up earlier.
NO_JSON: tuple[type[Exception], ...] = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
PERSONAL_ROLE = "audit"  # needed to see personal data
TextHeaders = list[tuple[str, str | None]]


def text_headers(entry: Entry, *, personal: bool) -> TextHeaders:
    """Return an entry's headers in their order; bytes that are no UTF-8 as escapes, none for unreadable headers."""
    pairs = unpack_headers(entry.headers) or ()
    found = [(name, None if value is None else value.decode(errors="backslashreplace")) for name, value in pairs]
    return found if personal else [(name, masked_text(text)) for name, text in found]


def masked_text(text: str | None) -> str | None:
    """Return a text without mail addresses."""
    return None if text is None else str(masked(text))


def json_text(value: bytes, *, personal: bool) -> str | None:
    """Return the text of a JSON value, byte for byte if personal data is asked for; None for any other value."""
    try:
        decoded = msgspec.json.decode(value)
        return value.decode() if personal else msgspec.json.encode(masked(decoded)).decode()
    except NO_JSON:
        return None
