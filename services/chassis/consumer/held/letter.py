"""The dead letter of a held record: its original bytes, its origin and the reason, cut where it would not fit."""

import hashlib
from collections.abc import Iterator

from services.chassis.consumer.held.record import Held
from services.chassis.messages.record import HEADER_FRAMING, Headers, Outgoing
from services.contracts.envelope import DEAD_LETTER_HEADERS, LARGEST_RECORD

LARGEST_LETTER = LARGEST_RECORD + DEAD_LETTER_HEADERS
# The bytes of each part that a letter keeps of a record that does not fit: compression lets a record exceed all limits.
KEPT_BYTES = 64 * 1024


def letter(one: Held, topic: str, group: str) -> Outgoing:
    """Return the letter of a record that a group holds, for its dead-letter topic."""
    record = one.record
    origin: Headers = [
        ("dlq_topic", record.topic.encode()),
        ("dlq_topic_id", one.topic_id.encode()),
        ("dlq_partition", b"%d" % record.partition),
        ("dlq_offset", b"%d" % record.offset),
        ("dlq_timestamp", b"%d" % record.timestamp_ms),
        ("dlq_group", group.encode()),
        ("dlq_reason", one.reason.encode()),
        ("dlq_detail", one.detail.encode(errors="backslashreplace")[:1000]),
    ]
    whole = Outgoing(topic, record.key, record.value, (record.headers or []) + origin)
    return whole if whole.size <= LARGEST_LETTER else _cut(whole, len(record.headers or []))


def _cut(letter: Outgoing, own: int) -> Outgoing:
    """Return a letter that fits: parts of key and value, and those of the record's `own` headers that are small."""
    kept, origin = list(_small(letter.headers[:own])), letter.headers[own:]
    for name, part in (("key", letter.key or b""), ("value", letter.value or b"")):
        if len(part) > KEPT_BYTES:
            digest = hashlib.sha256(part).hexdigest().encode()
            origin += [(f"dlq_{name}_size", b"%d" % len(part)), (f"dlq_{name}_sha256", digest)]
    if len(kept) < own:
        origin.append(("dlq_headers_omitted", b"%d" % (own - len(kept))))
    key, value = (None if part is None else part[:KEPT_BYTES] for part in (letter.key, letter.value))
    return Outgoing(letter.topic, key, value, kept + origin)


def _small(headers: Headers) -> Iterator[tuple[str, bytes | None]]:
    room = KEPT_BYTES
    for name, value in headers:
        if (size := len(name.encode()) + len(value or b"") + HEADER_FRAMING) <= room:
            room -= size
            yield name, value
