"""The newest records of a topic, read from the end of its partitions: those of one publisher, or all.

Outside of any group.
"""

import time
from collections.abc import Iterable, Sequence
from contextlib import closing

from services.chassis.kafka.admin import BrokerUnavailableError, KafkaAdmin, TopicsError
from services.chassis.kafka.group_consumer import PartitionReadError
from services.chassis.kafka.partition_reader import PartitionReader
from services.chassis.kafka.settings import KafkaSettings
from services.chassis.messages.event import Published
from services.chassis.messages.record import Record, TopicPartition, partitions_of
from services.contracts.envelope import Envelope, EnvelopeError, from_headers

# Offsets read from the end of each partition, further back only where none of the publisher's own records was found:
# records of other publishers, written by mistake, are ignored, and transactions leave offsets without a record.
BACK = (100, 10_000)
BATCH = 1000
POLL_S = 0.2


class TopicEnd:
    """Reads the ends of partitions of one topic."""

    def __init__(self, settings: KafkaSettings, topic: str) -> None:
        self._settings = settings
        self._topic = topic
        self._admin = KafkaAdmin(settings, f"{topic}-latest")

    def read(self, partitions: Sequence[TopicPartition], back: int) -> list[Record]:
        """Return the records at the last `back` offsets of each partition. Raises BrokerUnavailableError: try again."""
        if not partitions:
            return []
        try:
            begins, ends = self._admin.begins(partitions), self._admin.ends(partitions)
            starts = {place: max(begins[place], ends[place] - back) for place in partitions if ends[place] > 0}
            return self._read(starts) if starts else []
        except (TopicsError, PartitionReadError) as error:  # a leader election, or truncation
            raise BrokerUnavailableError(str(error)) from error

    def _read(self, starts: dict[TopicPartition, int]) -> list[Record]:
        deadline = time.monotonic() + self._settings.kafka_request_timeout.total_seconds()
        records: list[Record] = []
        with closing(PartitionReader(self._settings, "latest", starts)) as reader:
            while not reader.at_end:
                records += reader.poll(BATCH, POLL_S)
                if time.monotonic() > deadline:
                    raise BrokerUnavailableError(f"the end of {self._topic} cannot be read")
        return records


class LatestPublished:
    """Reads the end of a topic; `source` is the `ce_source` of its publisher."""

    def __init__(self, settings: KafkaSettings, topic: str, partitions: int, source: str) -> None:
        self._source = source
        self._end = TopicEnd(settings, topic)
        self._partitions = partitions_of(topic, partitions)

    def __call__(self) -> list[Published]:
        """Return the source's latest event in each partition that has one. Raises ConnectionError."""
        found: dict[int, Published] = {}
        for back in BACK:
            wanted = [place for place in self._partitions if place.partition not in found]
            found |= self._latest(self._end.read(wanted, back))
        return list(found.values())

    def _latest(self, records: Iterable[Record]) -> dict[int, Published]:
        found: dict[int, Published] = {}
        for record in records:
            envelope = _envelope(record)
            if envelope and envelope.source == self._source:
                have = found.get(record.partition)
                if have is None or envelope.sequence >= have.sequence:
                    found[record.partition] = Published(envelope.sequence, envelope.id, record.place)
        return found


def _envelope(record: Record) -> Envelope | None:
    try:
        return from_headers(record.headers or [])
    except EnvelopeError:
        return None
