"""Dead letters: records that can never be applied, put aside whole, with their origin and the reason."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import msgspec

from services.chassis.messages.publisher import OpenProducer, Publisher, PublishError
from services.chassis.messages.record import Headers, Outgoing, Record

WINDOW_S = 60.0
Reason = Literal[
    "unreadable_headers", "envelope", "key_mismatch", "unexpected_tombstone", "malformed", "invalid", "conflict"
]


class Refusal(msgspec.Struct, frozen=True):
    """A record that can never be applied. `detail` is a sentence for a person."""

    record: Record
    reason: Reason
    detail: str


class CeilingError(Exception):
    """So many records are refused that something else must be wrong: a person has to look."""


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
        self._flood = 0  # what went over the ceiling, for the last look at a consumer that ends

    @property
    def used(self) -> float:
        """How much of the ceiling is used, above 1 once more was refused; it is asked from other threads."""
        since = self._monotonic() - WINDOW_S
        return max(self._flood, sum(moment >= since for moment in tuple(self._recent))) / self._ceiling

    def put(self, refusals: Sequence[Refusal], topic_ids: Mapping[str, str]) -> None:
        """Write refused records and wait until they are safe. Raises PublishError, or CeilingError before writing."""
        self._refuse_flood(refusals)
        self._producer = self._producer or self._open_producer()
        try:
            self._producer.publish([self._letter(refusal, topic_ids) for refusal in refusals])
        except PublishError:
            self.close()
            raise
        self._recent.extend([self._monotonic()] * len(refusals))

    def poll(self) -> None:
        """Let the producer tell of itself, where there is one."""
        if self._producer:
            self._producer.poll()

    def close(self) -> None:
        """Give the producer up; the next letter opens another."""
        if self._producer:
            self._producer.close()
            self._producer = None

    def _refuse_flood(self, refusals: Sequence[Refusal]) -> None:
        while self._recent and self._monotonic() - self._recent[0] > WINDOW_S:
            self._recent.popleft()
        number = len(self._recent) + len(refusals)
        if number > self._ceiling:
            self._flood = number
            last = refusals[-1]
            raise CeilingError(
                f"{number} records refused within {WINDOW_S:.0f} s, ceiling {self._ceiling}; the last one: "
                f"{last.record.place}: {last.reason}: {last.detail}. Look at {self._topic} and at what is published; "
                "raise APP_CONSUMER_DEAD_LETTER_CEILING only if they are all to be put aside"
            )

    def _letter(self, refusal: Refusal, topic_ids: Mapping[str, str]) -> Outgoing:
        record = refusal.record
        origin: Headers = [
            ("dlq_topic", record.topic.encode()),
            ("dlq_topic_id", topic_ids.get(record.topic, "").encode()),
            ("dlq_partition", b"%d" % record.partition),
            ("dlq_offset", b"%d" % record.offset),
            ("dlq_group", self._group.encode()),
            ("dlq_reason", refusal.reason.encode()),
            ("dlq_detail", refusal.detail.encode()[:1000]),
        ]
        return Outgoing(self._topic, record.key, record.value, (record.headers or []) + origin, record.timestamp_ms)
