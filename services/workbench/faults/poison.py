"""Poison records: what a producer with a defect could publish, by kind. Pure.

All are on `user.notices.v1`, which the notification service and audit read. Audit records each as it is.
"""

from collections.abc import Mapping
from datetime import datetime

import msgspec

from services.chassis.messages.record import Outgoing
from services.contracts.catalog import USER_NOTICES
from services.contracts.envelope import LARGEST_RECORD, Envelope, Headers, schema_of, to_headers
from services.contracts.user import NOTICES

TYPE = "user.notice"
RECORDS = 3


class Poison(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of poison record, as the differences from a valid one.

    Notification writes a dead letter of each record, or parks it until a newer program can read it.
    """

    meaning: str
    value: bytes | None = b"{}"
    key: bytes | None = None
    without: str = ""
    version: int = 1
    parked: bool = False


POISONS: Mapping[str, Poison] = {
    "json": Poison(meaning="a value that is not JSON", value=b"{not an event"),
    "fields": Poison(meaning="JSON without the fields of its type"),
    "key": Poison(meaning="a key that is not the event's subject", key=b"another"),
    "header": Poison(meaning="no header ce_id", without="ce_id"),
    "tombstone": Poison(meaning="no value, on a topic without tombstones", value=None),
    "oversized": Poison(
        meaning="a value above the topic's limit, compressed below it", value=b"x" * (LARGEST_RECORD + 1024)
    ),
    "version": Poison(
        meaning="a newer version than the program knows; it stays parked, and `make held` lists it",
        key=b"poison-version",
        version=99,
        parked=True,
    ),
}


def records(kind: str, now: datetime, ids: list[str]) -> list[Outgoing]:
    """Return records of a kind, one for each id."""
    poison = POISONS[kind]
    return [Outgoing(USER_NOTICES.name, *_key_and_value(poison, each), _headers(poison, each, now)) for each in ids]


def _subject(poison: Poison, event_id: str) -> str:
    return poison.key.decode() if poison.parked and poison.key else event_id


def _key_and_value(poison: Poison, event_id: str) -> tuple[bytes, bytes | None]:
    return poison.key or event_id.encode(), poison.value


def _headers(poison: Poison, event_id: str, now: datetime) -> Headers:
    envelope = Envelope(
        id=event_id,
        source=NOTICES,
        type=TYPE,
        subject=_subject(poison, event_id),
        time=now,
        schema=schema_of(TYPE, poison.version),
        sequence=1,
        version=1,
        correlation_id=event_id,
    )
    return [(name, value) for name, value in to_headers(envelope) if name != poison.without]
