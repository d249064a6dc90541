"""Reads partitions outside any group, from given offsets or a whole topic, without moving a group's offset."""

import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, Message
from confluent_kafka import TopicPartition as ClientPartition

from services.chassis.kafka import config
from services.chassis.kafka.admin import KafkaAdmin, TopicsError
from services.chassis.kafka.client_errors import ClientErrors
from services.chassis.kafka.error_events import ErrorEvents
from services.chassis.kafka.group_consumer import PartitionReadError, to_record
from services.chassis.kafka.rights.refusals import GROUP, REFUSALS, refusal
from services.chassis.kafka.settings import KafkaSettings
from services.chassis.messages.record import Record, TopicPartition, partitions_of

BATCH = 1000
READERS = "reader-"  # begins the names of all readers, so that one right allows the question
BEGINNING = OFFSET_BEGINNING  # as a start: the first record that the partition has
POLL_S = 1.0
SILENCE_S = 10.0  # without a record or a partition's end for so long, the broker is unreachable or the topic missing
REMEDY = "is the broker running, and does the topic exist, which `console topics` creates?"


class TopicUnavailableError(ConnectionError):
    """The topic cannot be read to its end now; the message gives the reason. Retry."""


class PartitionReader:
    """Reads from `starts` until closed; the records of one partition come in order. Not thread-safe."""

    def __init__(self, settings: KafkaSettings, name: str, starts: Mapping[TopicPartition, int]) -> None:
        self._settings = settings
        self._group = settings.group_id(READERS + name)  # never joined; the client asks for its coordinator
        self._events = ErrorEvents(self._group)
        self._errors = ClientErrors(settings, self._events)
        own = {"error_cb": self._errors}
        self._client = Consumer(config.consumer(settings, self._group) | own)
        self._starts = starts
        self._unfinished = set(starts)
        self._reached: dict[TopicPartition, int] = {}
        self._client.assign([ClientPartition(p.topic, p.partition, offset) for p, offset in starts.items()])

    @property
    def at_end(self) -> bool:
        """True once the end of every partition has been seen."""
        return not self._unfinished

    def reached(self, partition: TopicPartition) -> int:
        """Return the offset below which everything was returned; an end counts, also where no record is before it."""
        return self._reached.get(partition, 0)

    def poll(self, limit: int, timeout_s: float) -> list[Record]:
        """Return the available records, waiting only for the first.

        Raises PartitionReadError, and BrokerRefusedError if nothing will be read.
        """
        first = self._client.poll(timeout_s)
        if first is None:
            return []
        messages = [first, *self._client.consume(limit - 1, 0)]
        return [to_record(message) for message in messages if self._is_record(message)]

    def read_to_end(self, silence_s: float = SILENCE_S) -> Iterator[list[Record]]:
        """Yield batches until the end of every partition. Raises TopicUnavailableError."""
        received = time.monotonic()
        while not self.at_end:
            unfinished = len(self._unfinished)
            try:
                records = self.poll(BATCH, min(POLL_S, silence_s))
            except PartitionReadError as error:
                raise TopicUnavailableError(str(error)) from error
            progress = records or len(self._unfinished) < unfinished
            if not progress and time.monotonic() - received > silence_s:
                topics = sorted({partition.topic for partition in self._unfinished})
                reason = self._errors.describe() or self._cause(topics)
                raise TopicUnavailableError(f"{', '.join(topics)}: nothing received for {silence_s:g} s; {reason}")
            yield records
            if progress:
                received = time.monotonic()

    def close(self) -> None:
        """Free the client."""
        self._client.close()

    def _cause(self, topics: Sequence[str]) -> str:
        """Return why nothing is received: the client reports neither a missing topic nor one that is denied wholly."""
        try:
            KafkaAdmin(self._settings, self._group).ids(topics)
        except (ConnectionError, TopicsError) as error:
            return str(error)
        return REMEDY

    def _is_record(self, message: Message) -> bool:
        error = message.error()
        partition = TopicPartition(message.topic() or "", message.partition() or 0)
        if error is None:
            self._reached[partition] = (message.offset() or 0) + 1
            return True
        if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001  # a constant
            self._reached[partition] = message.offset() or 0
            self._unfinished.discard(partition)
        elif error.code() == KafkaError._AUTO_OFFSET_RESET:  # noqa: SLF001
            raise PartitionReadError(f"{message.topic()}[{message.partition()}]@{message.offset()}: {error.str()}")
        elif error.code() == GROUP:
            self._events(error)  # it reads all the same
        else:
            self._errors(error)
            if error.code() in REFUSALS:
                topics = sorted({partition.topic for partition in self._starts})
                raise refusal(error, self._settings, self._group, topics)
        return False


def read_topic(
    settings: KafkaSettings, topic: str, partitions: int, silence_s: float = SILENCE_S
) -> Iterator[list[Record]]:
    """Yield a topic's records in batches, from its beginning to its present end. Raises TopicUnavailableError."""
    yield from read_partitions(settings, partitions_of(topic, partitions), silence_s)


def read_partitions(
    settings: KafkaSettings, partitions: Sequence[TopicPartition], silence_s: float = SILENCE_S
) -> Generator[list[Record], None, None]:
    """Yield the records of partitions of one topic, as `read_topic`. Raises TopicUnavailableError."""
    starts = dict.fromkeys(partitions, BEGINNING)
    with closing(PartitionReader(settings, partitions[0].topic, starts)) as reader:
        yield from reader.read_to_end(silence_s)
