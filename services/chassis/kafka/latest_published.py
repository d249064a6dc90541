"""The latest published event of one publisher in each partition of its topic, read from the end."""

import time
from collections.abc import Iterable, Mapping
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


class LatestPublished:
    """Reads the end of a topic; `source` is the `ce_source` of its publisher."""

    def __init__(self, settings: KafkaSettings, topic: str, partitions: int, source: str) -> None:
        self._settings = settings
        self._source = source
        self._admin = KafkaAdmin(settings, f"{topic}-latest")
        self._partitions = partitions_of(topic, partitions)

    def __call__(self) -> list[Published]:
        """Return the source's latest event in each partition that has one. Raises ConnectionError."""
        try:
            return self._found()
        except (TopicsError, PartitionReadError) as error:  # a leader election, or truncation: retry
            raise BrokerUnavailableError(str(error)) from error

    def _found(self) -> list[Published]:
        begins, ends = self._admin.begins(self._partitions), self._admin.ends(self._partitions)
        found: dict[int, Published] = {}
        for back in BACK:
            wanted = [place for place in self._partitions if ends[place] > 0 and place.partition not in found]
            starts = {place: max(begins[place], ends[place] - back) for place in wanted}
            found |= self._latest(self._read(starts) if starts else [])
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

    def _read(self, starts: Mapping[TopicPartition, int]) -> list[Record]:
        deadline = time.monotonic() + self._settings.kafka_request_timeout.total_seconds()
        records: list[Record] = []
        with closing(PartitionReader(self._settings, "latest", starts)) as reader:
            while not reader.at_end:
                records += reader.poll(BATCH, POLL_S)
                if time.monotonic() > deadline:
                    raise BrokerUnavailableError(f"the end of {self._partitions[0].topic} cannot be read")
        return records


def _envelope(record: Record) -> Envelope | None:
    try:
        return from_headers(record.headers or [])
    except EnvelopeError:
        return None
