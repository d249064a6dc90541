"""Facts of the notification service in the log, as today's structs whichever version they were published in."""

from typing import cast

from services.audit.domain import unpack_headers
from services.audit.masking import NO_JSON
from services.contracts import notification
from services.contracts.catalog import NOTIFICATION_EVENTS, TYPES
from services.contracts.shapes import readers


def notification_fact(topic: str, headers: bytes | None, value: object) -> notification.Fact | None:
    """Return the fact in a record, None if it is none: journeys show such a record as it is, consumers refuse it."""
    if topic != NOTIFICATION_EVENTS.name or not isinstance(value, bytes):
        return None
    found = dict(unpack_headers(headers) or ())
    kind, schema = ((found.get(name) or b"").decode(errors="replace") for name in ("ce_type", "ce_dataschema"))
    read = readers(kind, TYPES[kind]).get(schema) if kind in TYPES else None
    try:
        return None if read is None else cast("notification.Fact", read(value))
    except NO_JSON:
        return None
