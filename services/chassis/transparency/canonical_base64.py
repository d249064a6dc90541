"""Base64 in its one canonical form: Python's decoder ignores the unused bits of the last digit."""

import base64
import binascii


def encoded(content: bytes) -> str:
    """Return standard base64 with padding."""
    return base64.b64encode(content).decode()


def decoded(text: str) -> bytes:
    """Return the bytes of the only base64 that they have. Raises ValueError for any other text."""
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"not base64: {text!r}: {error}") from None
    if encoded(content) != text:
        raise ValueError(f"not canonical base64: {text!r}")
    return content
