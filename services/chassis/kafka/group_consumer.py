"""A consumer group member that starts from given offsets and returns batches of plain records."""

import operator
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

import structlog
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message
from confluent_kafka import TopicPartition as ClientPartition

from services.chassis.kafka import config, statistics
from services.chassis.kafka.admin import BrokerRefusedError, KafkaAdmin
from services.chassis.kafka.client_metrics import ClientMetrics
from services.chassis.kafka.error_events import ErrorEvents
from services.chassis.kafka.rights.refusals import REFUSALS, refusal
from services.chassis.kafka.settings import KafkaSettings
from services.chassis.messages.record import Record, TopicPartition

# For a header name that is not UTF-8 the client returns a value and leaves an exception set, which a plain call may
# raise from the next call. `methodcaller` checks for it at once and raises SystemError.
HEADERS = operator.methodcaller("headers")
UNREADABLE = {KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE}  # noqa: SLF001  # a constant
ASK_S = 5.0  # between two questions why no assignment has come; each may wait as long as ANSWER for a broker
ANSWER = timedelta(seconds=3)
LEAVE_S = 5.0  # with an unanswered commit the client would wait 45 s for a broker that is gone or refuses its login
Offsets = Mapping[TopicPartition, int]
StartOffsets = Callable[[Sequence[TopicPartition]], Offsets]

log = structlog.get_logger()


class PartitionReadError(Exception):
    """A partition cannot be read from its offset; the message names the offset and the reason."""


class GroupConsumer:
    """Reads topics as a member of a group.

    `start_offsets` returns the first offset of newly assigned partitions, and none for the beginning. It is called
    within `poll`, which raises its exceptions. After a BrokerRefusedError of `poll` a member reads nothing any more: it
    must be closed. Not thread-safe.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        group: str,
        topics: Sequence[str],
        start_offsets: StartOffsets,
        metrics: ClientMetrics | None = None,
    ) -> None:
        self._events = ErrorEvents(group, metrics)
        own = {"on_commit": self._committed, "error_cb": self._events}
        self._client = Consumer(config.consumer(settings, group) | statistics.callback_config(metrics) | own)
        self._settings = settings
        self._group = group
        self._metrics = metrics
        self._refused: KafkaError | None = None  # by the answer to a commit
        self._joined = False
        self._ask_at = time.monotonic() + ASK_S
        self._topics = topics
        self._commits: deque[float] = deque()  # start times of unanswered commits
        self._start_offsets = start_offsets
        self._assigned: set[TopicPartition] = set()
        self._ends: dict[TopicPartition, int] = {}
        self._client.subscribe(list(topics), on_assign=self._assign, on_revoke=self._revoke, on_lost=self._revoke)

    @property
    def assigned(self) -> frozenset[TopicPartition]:
        """The partitions that this member owns now."""
        return frozenset(self._assigned)

    def has_joined(self) -> bool:
        """Return True once partitions have come, or the broker lists this member as a spare without partitions.

        Raises BrokerUnavailableError, at most every 5 s, if a topic is missing, denied, or the broker is unreachable.
        """
        if not self._joined and time.monotonic() >= self._ask_at:
            self._ask_at = time.monotonic() + ASK_S
            patience = min(ANSWER, self._settings.kafka_request_timeout)
            admin = KafkaAdmin(replace(self._settings, kafka_request_timeout=patience), self._group)
            admin.ids(self._topics)
            self._joined = (
                bool(self._assigned) or self._client.memberid() in admin.member_ids([self._group])[self._group]
            )
        return self._joined

    def poll(self, limit: int, timeout_s: float) -> list[Record]:
        """Return the available records, waiting only for the first.

        Raises PartitionReadError, and BrokerRefusedError if the member must be reopened.
        """
        deadline = time.monotonic() + timeout_s
        while (first := self._client.poll(max(0.0, deadline - time.monotonic()))) is not None:
            # consume(n, timeout) would wait the whole time-out for n records: 0 returns the available ones.
            messages = [first, *self._client.consume(limit - 1, 0)]
            if records := [to_record(message) for message in messages if self._is_record(message)]:
                break
        else:
            records = []
        if self._refused is not None:
            raise self._refusal(self._refused)
        return records

    def take_ends(self) -> Offsets:
        """Return the ends that were reached since the last call, each behind everything that `poll` has returned."""
        ends, self._ends = self._ends, {}
        return ends

    def seek(self, offsets: Offsets) -> None:
        """Set the offset of each assigned partition; revoked ones are ignored."""
        self._ends.clear()
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
        """Leave the group. Waits 5 s at most: without an answer, the membership ends with its session."""
        leaving = threading.Thread(target=self._client.close, name=f"leave {self._group}", daemon=True)
        leaving.start()
        leaving.join(LEAVE_S)
        if leaving.is_alive():
            log.warning("the group is left by the end of the session: no answer of the broker", group=self._group)
        if self._metrics:
            self._metrics.closed()

    def _assign(self, client: Consumer, partitions: list[ClientPartition]) -> None:
        added = [TopicPartition(p.topic, p.partition) for p in partitions]
        starts = self._start_offsets(added)
        client.incremental_assign([_place(p, starts.get(p, OFFSET_BEGINNING)) for p in added])
        self._assigned.update(added)
        self._ask_at = 0.0

    def _revoke(self, client: Consumer, partitions: Iterable[ClientPartition]) -> None:
        revoked = [TopicPartition(p.topic, p.partition) for p in partitions]
        self._assigned.difference_update(revoked)
        client.incremental_unassign([_place(p) for p in revoked])

    def _committed(self, error: KafkaError | None, _: Sequence[ClientPartition]) -> None:
        # Answers arrive in the order of the commits.
        if self._metrics and self._commits:
            seconds = time.perf_counter() - self._commits.popleft()
            self._metrics.took("commit", self._topics, seconds, error.name() if error else "")
        if error is not None:
            self._events(error)
            # Raised by the next `poll`, not here: `close` calls this too.
            self._refused = error if error.code() in REFUSALS else self._refused

    def _is_record(self, message: Message) -> bool:
        error = message.error()
        if error is None:
            self._events.clear()
            return True
        if error.code() in UNREADABLE:
            raise PartitionReadError(f"{message.topic()}[{message.partition()}]@{message.offset()}: {error.str()}")
        if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001  # a constant
            self._ends[TopicPartition(message.topic() or "", message.partition() or 0)] = message.offset() or 0
            return False
        self._events(error)
        if error.code() in REFUSALS:
            raise self._refusal(error)
        return False

    def _refusal(self, error: KafkaError) -> BrokerRefusedError:
        return refusal(error, self._settings, self._group, self._topics)


def _place(partition: TopicPartition, offset: int = OFFSET_BEGINNING) -> ClientPartition:
    return ClientPartition(partition.topic, partition.partition, offset)


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
