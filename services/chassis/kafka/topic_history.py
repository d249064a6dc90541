"""What a topic holds, read once from its beginning to the end it has now, outside any group."""

from collections.abc import Iterator

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, Message
from confluent_kafka import TopicPartition as ClientPartition

from services.chassis.kafka import config
from services.chassis.kafka.client_errors import ClientErrors
from services.chassis.kafka.group_consumer import to_record
from services.chassis.kafka.settings import KafkaSettings
from services.chassis.messages.record import Record, TopicPartition

BATCH = 1000
SILENCE_S = 10.0  # without a record or an end for so long, the broker or the topic is away
REMEDY = "is the broker there, and is the topic, which `console topics` creates?"


class HistoryError(ConnectionError):
    """The topic cannot be read to its end now; the message says why. Trying again is the cure."""


def read(settings: KafkaSettings, topic: str, partitions: int, silence_s: float = SILENCE_S) -> Iterator[list[Record]]:
    """Yield a topic's records in batches; the order holds within a partition. Raises HistoryError."""
    trouble = ClientErrors(settings)
    own = {"enable.partition.eof": True, "error_cb": trouble}
    client = Consumer(config.consumer(settings, f"{topic}-history") | own)
    unread = {TopicPartition(topic, number) for number in range(partitions)}
    try:
        client.assign([ClientPartition(topic, place.partition, OFFSET_BEGINNING) for place in unread])
        while unread:
            first = client.poll(silence_s)
            if first is None:
                raise HistoryError(f"{topic}: nothing heard for {silence_s:g} s; {trouble.words() or REMEDY}")
            messages = [first, *client.consume(BATCH - 1, 0)]
            ended = {place for message in messages if (place := _end(message))}
            yield [to_record(message) for message in messages if message.error() is None]
            unread -= ended
    finally:
        client.close()


def _end(message: Message) -> TopicPartition | None:
    error = message.error()
    if error is None:
        return None
    if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001  # a constant
        return TopicPartition(message.topic() or "", message.partition() or 0)
    raise HistoryError(f"{message.topic()}[{message.partition()}]: {error.name()}: {error.str()}")
