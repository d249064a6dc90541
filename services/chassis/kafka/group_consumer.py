"""A member of a consumer group that starts where it is told and hands out batches of plain records."""

import operator
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message
from confluent_kafka import TopicPartition as ClientPartition

from services.chassis.kafka import config, statistics
from services.chassis.kafka.client_metrics import ClientMetrics
from services.chassis.kafka.settings import KafkaSettings
from services.chassis.messages.record import Record, TopicPartition

# For a name that is not UTF-8 the client returns a value and leaves an exception behind, which a plain call may pass on
# to whatever is called next. This way it is looked for at once, and found as a SystemError.
HEADERS = operator.methodcaller("headers")
Offsets = Mapping[TopicPartition, int]
Starts = Callable[[Sequence[TopicPartition]], Offsets]


class SourceError(Exception):
    """The partition cannot be read on from its position; the message says where and why."""


class GroupConsumer:
    """Reads topics as a member of a group.

    `starts` is asked for the first offset of each newly assigned partition, the beginning where it names none;
    it is called from within `poll`, and what it raises comes out of `poll`. Not thread-safe.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        group: str,
        topics: Sequence[str],
        starts: Starts,
        told: ClientMetrics | None = None,
    ) -> None:
        own = {"on_commit": self._committed} if told else {}
        self._client = Consumer(config.consumer(settings, group) | statistics.told_to(told) | own)
        self._told = told
        self._topics = topics
        self._hinted: deque[float] = deque()
        self._starts = starts
        self._assigned: set[TopicPartition] = set()
        self._client.subscribe(list(topics), on_assign=self._assign, on_revoke=self._revoke, on_lost=self._revoke)

    @property
    def assigned(self) -> frozenset[TopicPartition]:
        """The partitions that are this member's now."""
        return frozenset(self._assigned)

    def poll(self, limit: int, timeout_s: float) -> list[Record]:
        """Return the records that are at hand, waiting only for the first. Raises SourceError."""
        first = self._client.poll(timeout_s)
        if first is None:
            return []
        # consume(n, timeout) would wait out the whole time-out for n records: take only what is there.
        return [to_record(message) for message in [first, *self._client.consume(limit - 1, 0)] if _readable(message)]

    def seek(self, offsets: Offsets) -> None:
        """Go to an offset in each partition; those that were revoked meanwhile are passed over."""
        for partition in self.assigned:
            self._client.seek(_place(partition, offsets.get(partition, OFFSET_BEGINNING)))

    def pause(self) -> None:
        """Stop fetching while `poll` keeps the membership alive."""
        self._client.pause([_place(partition) for partition in self._assigned])

    def resume(self) -> None:
        """Fetch again."""
        self._client.resume([_place(partition) for partition in self._assigned])

    def commit(self, offsets: Offsets) -> None:
        """Tell Kafka how far the group is: a hint for lag tools, sent without waiting."""
        self._hinted.append(time.perf_counter())
        self._client.commit(offsets=[_place(*pair) for pair in offsets.items()], asynchronous=True)

    def close(self) -> None:
        """Leave the group."""
        self._client.close()
        if self._told:
            self._told.closed()

    def _assign(self, client: Consumer, partitions: list[ClientPartition]) -> None:
        fresh = [TopicPartition(p.topic, p.partition) for p in partitions]
        starts = self._starts(fresh)
        client.incremental_assign([_place(p, starts.get(p, OFFSET_BEGINNING)) for p in fresh])
        self._assigned.update(fresh)

    def _revoke(self, client: Consumer, partitions: Iterable[ClientPartition]) -> None:
        gone = [TopicPartition(p.topic, p.partition) for p in partitions]
        self._assigned.difference_update(gone)
        client.incremental_unassign([_place(p) for p in gone])

    def _committed(self, error: KafkaError | None, _: Sequence[ClientPartition]) -> None:
        # The answers come in the order of the questions.
        if self._told and self._hinted:
            seconds = time.perf_counter() - self._hinted.popleft()
            self._told.took("commit", self._topics, seconds, error.name() if error else "")


def _place(partition: TopicPartition, offset: int = OFFSET_BEGINNING) -> ClientPartition:
    return ClientPartition(partition.topic, partition.partition, offset)


def _readable(message: Message) -> bool:
    error = message.error()
    if error is None:
        return True
    if error.code() in {KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE} or error.fatal():  # noqa: SLF001
        raise SourceError(f"{message.topic()}[{message.partition()}]@{message.offset()}: {error.str()}")
    return False  # the client recovers by itself and has logged it


def to_record(message: Message) -> Record:
    """Return a message as a plain record."""
    kind, moment = message.timestamp()
    try:
        headers = HEADERS(message)
    except (UnicodeDecodeError, KafkaException, SystemError):
        headers = None
    else:
        headers = [] if headers is None else headers
    place = (message.topic() or "", message.partition() or 0, message.offset() or 0)
    return Record(*place, kind, moment, message.key(), message.value(), headers)
