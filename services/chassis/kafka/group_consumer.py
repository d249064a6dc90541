"""A consumer group member that starts from given offsets and returns batches of plain records."""

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

# For a header name that is not UTF-8 the client returns a value and leaves an exception set, which a plain call may
# raise from the next call. `methodcaller` checks for it at once and raises SystemError.
HEADERS = operator.methodcaller("headers")
Offsets = Mapping[TopicPartition, int]
StartOffsets = Callable[[Sequence[TopicPartition]], Offsets]


class PartitionReadError(Exception):
    """A partition cannot be read from its offset; the message names the offset and the reason."""


class GroupConsumer:
    """Reads topics as a member of a group.

    `start_offsets` returns the first offset of newly assigned partitions, and none for the beginning. It is called
    within `poll`, which raises its exceptions. Not thread-safe.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        group: str,
        topics: Sequence[str],
        start_offsets: StartOffsets,
        metrics: ClientMetrics | None = None,
    ) -> None:
        own = {"on_commit": self._committed} if metrics else {}
        self._client = Consumer(config.consumer(settings, group) | statistics.callback_config(metrics) | own)
        self._metrics = metrics
        self._topics = topics
        self._commits: deque[float] = deque()  # start times of unanswered commits
        self._start_offsets = start_offsets
        self._assigned: set[TopicPartition] = set()
        self._client.subscribe(list(topics), on_assign=self._assign, on_revoke=self._revoke, on_lost=self._revoke)

    @property
    def assigned(self) -> frozenset[TopicPartition]:
        """The partitions that this member owns now."""
        return frozenset(self._assigned)

    def poll(self, limit: int, timeout_s: float) -> list[Record]:
        """Return the available records, waiting only for the first. Raises PartitionReadError."""
        first = self._client.poll(timeout_s)
        if first is None:
            return []
        # consume(n, timeout) would wait the whole time-out for n records: a timeout of 0 returns the available ones.
        return [to_record(message) for message in [first, *self._client.consume(limit - 1, 0)] if _readable(message)]

    def seek(self, offsets: Offsets) -> None:
        """Set the offset of each assigned partition; revoked ones are ignored."""
        for partition in self.assigned:
            self._client.seek(_place(partition, offsets.get(partition, OFFSET_BEGINNING)))

    def pause(self) -> None:
        """Stop fetching; `poll` still keeps the membership alive."""
        self._client.pause([_place(partition) for partition in self._assigned])

    def resume(self) -> None:
        """Fetch again."""
        self._client.resume([_place(partition) for partition in self._assigned])

    def commit(self, offsets: Offsets) -> None:
        """Commit offsets to Kafka without waiting: a hint for lag tools."""
        self._commits.append(time.perf_counter())
        self._client.commit(offsets=[_place(*pair) for pair in offsets.items()], asynchronous=True)

    def close(self) -> None:
        """Leave the group."""
        self._client.close()
        if self._metrics:
            self._metrics.closed()

    def _assign(self, client: Consumer, partitions: list[ClientPartition]) -> None:
        added = [TopicPartition(p.topic, p.partition) for p in partitions]
        starts = self._start_offsets(added)
        client.incremental_assign([_place(p, starts.get(p, OFFSET_BEGINNING)) for p in added])
        self._assigned.update(added)

    def _revoke(self, client: Consumer, partitions: Iterable[ClientPartition]) -> None:
        revoked = [TopicPartition(p.topic, p.partition) for p in partitions]
        self._assigned.difference_update(revoked)
        client.incremental_unassign([_place(p) for p in revoked])

    def _committed(self, error: KafkaError | None, _: Sequence[ClientPartition]) -> None:
        # Answers arrive in the order of the commits.
        if self._metrics and self._commits:
            seconds = time.perf_counter() - self._commits.popleft()
            self._metrics.took("commit", self._topics, seconds, error.name() if error else "")


def _place(partition: TopicPartition, offset: int = OFFSET_BEGINNING) -> ClientPartition:
    return ClientPartition(partition.topic, partition.partition, offset)


def _readable(message: Message) -> bool:
    error = message.error()
    if error is None:
        return True
    if error.code() in {KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE} or error.fatal():  # noqa: SLF001
        raise PartitionReadError(f"{message.topic()}[{message.partition()}]@{message.offset()}: {error.str()}")
    return False  # the client recovers by itself and has logged the error


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
