"""A reader of partitions from given offsets on, outside any group: it looks, and moves nobody's position."""

from confluent_kafka import Consumer, KafkaError, Message
from confluent_kafka import TopicPartition as ClientPartition

from services.chassis.kafka import config
from services.chassis.kafka.group_consumer import Offsets, SourceError, to_record
from services.chassis.kafka.settings import KafkaSettings
from services.chassis.messages.record import Record, TopicPartition


class PartitionReader:
    """Reads from `starts` until closed; records of one partition come in order. Not thread-safe."""

    def __init__(self, settings: KafkaSettings, name: str, starts: Offsets) -> None:
        self._client = Consumer(config.consumer(settings, f"{name}-tail") | {"enable.partition.eof": True})
        self._unread = set(starts)
        self._client.assign([ClientPartition(p.topic, p.partition, offset) for p, offset in starts.items()])

    @property
    def at_end(self) -> bool:
        """Whether the end of every partition was seen at some time since the start."""
        return not self._unread

    def poll(self, limit: int, timeout_s: float) -> list[Record]:
        """Return the records that are at hand, waiting only for the first. Raises SourceError."""
        first = self._client.poll(timeout_s)
        if first is None:
            return []
        messages = [first, *self._client.consume(limit - 1, 0)]
        return [to_record(message) for message in messages if self._is_record(message)]

    def close(self) -> None:
        """Free the client."""
        self._client.close()

    def _is_record(self, message: Message) -> bool:
        error = message.error()
        if error is None:
            return True
        if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001  # a constant
            self._unread.discard(TopicPartition(message.topic() or "", message.partition() or 0))
        elif error.code() == KafkaError._AUTO_OFFSET_RESET or error.fatal():  # noqa: SLF001
            raise SourceError(f"{message.topic()}[{message.partition()}]@{message.offset()}: {error.str()}")
        return False  # whatever else it is, the client recovers by itself
