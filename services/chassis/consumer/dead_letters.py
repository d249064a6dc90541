"""Dead-letter handling: records that can never be applied go to a topic, with their origin and the reason."""

import hashlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal

import msgspec

from services.chassis.messages.publisher import OpenProducer, Publisher, PublishError, RecordRefusedError
from services.chassis.messages.record import HEADER_FRAMING, Headers, Outgoing, Record
from services.contracts.envelope import DEAD_LETTER_HEADERS, LARGEST_RECORD

WINDOW_S = 60.0
LARGEST_LETTER = LARGEST_RECORD + DEAD_LETTER_HEADERS
# The bytes of each part that a letter keeps of a record that does not fit: compression lets a record exceed all limits.
KEPT_BYTES = 64 * 1024
Reason = Literal[
    "unreadable_headers", "envelope", "key_mismatch", "unexpected_tombstone", "malformed", "invalid", "conflict"
]


class Refusal(msgspec.Struct, frozen=True):
    """A record that can never be applied. `detail` is for the operator."""

    record: Record
    reason: Reason
    detail: str


class CeilingError(Exception):
    """More records are refused than the ceiling allows: an operator has to find the cause."""


class DeadLetters:
    """The dead-letter topic of one consumer group, with a ceiling on the records per minute."""

    def __init__(
        self,
        topic: str,
        group: str,
        open_producer: OpenProducer,
        ceiling: int,
        monotonic: Callable[[], float],
    ) -> None:
        self._topic = topic
        self._group = group
        self._open_producer = open_producer
        self._producer: Publisher | None = None
        self._ceiling = ceiling
        self._monotonic = monotonic
        self._recent: deque[float] = deque()
        self._excess = 0  # the number that exceeded the ceiling, for the last scrape before the consumer ends

    @property
    def used(self) -> float:
        """The used share of the ceiling, above 1 once it was exceeded. Thread-safe."""
        since = self._monotonic() - WINDOW_S
        return max(self._excess, sum(moment >= since for moment in tuple(self._recent))) / self._ceiling

    def put(self, refusals: Sequence[Refusal], topic_ids: Mapping[str, str]) -> None:
        """Publish refused records and wait for acknowledgement.

        Raises PublishError, RecordRefusedError, or CeilingError before writing.
        """
        self._check_ceiling(refusals)
        self._producer = self._producer or self._open_producer()
        try:
            self._producer.publish([self._letter(refusal, topic_ids) for refusal in refusals])
        except (PublishError, RecordRefusedError):
            self.close()
            raise
        self._recent.extend([self._monotonic()] * len(refusals))

    def poll(self) -> None:
        """Serve the producer's callbacks, if it is open."""
        if self._producer:
            self._producer.poll()

    def close(self) -> None:
        """Close the producer; the next `put` opens another."""
        if self._producer:
            self._producer.close()
            self._producer = None

    def _check_ceiling(self, refusals: Sequence[Refusal]) -> None:
        while self._recent and self._monotonic() - self._recent[0] > WINDOW_S:
            self._recent.popleft()
        number = len(self._recent) + len(refusals)
        if number > self._ceiling:
            self._excess = number
            last = refusals[-1]
            raise CeilingError(
                f"{number} records refused within {WINDOW_S:.0f} s, ceiling {self._ceiling}; the last one: "
                f"{last.record.place}: {last.reason}: {last.detail}. Check {self._topic} and the publisher; "
                "raise APP_CONSUMER_DEAD_LETTER_CEILING only if all of them should be dead-lettered"
            )

    def _letter(self, refusal: Refusal, topic_ids: Mapping[str, str]) -> Outgoing:
        record = refusal.record
        origin: Headers = [
            ("dlq_topic", record.topic.encode()),
            ("dlq_topic_id", topic_ids.get(record.topic, "").encode()),
            ("dlq_partition", b"%d" % record.partition),
            ("dlq_offset", b"%d" % record.offset),
            ("dlq_timestamp", b"%d" % record.timestamp_ms),
            ("dlq_group", self._group.encode()),
            ("dlq_reason", refusal.reason.encode()),
            ("dlq_detail", refusal.detail.encode(errors="backslashreplace")[:1000]),
        ]
        whole = Outgoing(self._topic, record.key, record.value, (record.headers or []) + origin)
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
