"""The newest event of one publisher in each partition of its topic, read from the end, outside any group."""

import time
from collections.abc import Mapping
from contextlib import closing

from services.chassis.kafka.admin import BrokerUnavailableError, KafkaAdmin, TopicsError
from services.chassis.kafka.group_consumer import SourceError
from services.chassis.kafka.partition_reader import PartitionReader
from services.chassis.kafka.settings import KafkaSettings
from services.chassis.messages.event import Published
from services.chassis.messages.record import Record, TopicPartition
from services.contracts.envelope import Envelope, EnvelopeError, from_headers

BACK = 100  # records looked at in each partition: what others have written there, by mistake, is passed over
BATCH = 1000
POLL_S = 0.2


class LatestPublished:
    """Looks at a topic; `source` is what its publisher writes as `ce_source`."""

    def __init__(self, settings: KafkaSettings, topic: str, partitions: int, source: str) -> None:
        self._settings = settings
        self._source = source
        self._topics = KafkaAdmin(settings, f"{topic}-newest")
        self._places = [TopicPartition(topic, number) for number in range(partitions)]

    def __call__(self) -> list[Published]:
        """Return the newest event of the source in each partition that has one. Raises ConnectionError."""
        try:
            return self._found()
        except (TopicsError, SourceError) as error:  # a leader that is being elected, an end that moves: look again
            raise BrokerUnavailableError(str(error)) from error

    def _found(self) -> list[Published]:
        begins, ends = self._topics.begins(self._places), self._topics.ends(self._places)
        starts = {place: max(begins[place], ends[place] - BACK) for place in self._places if ends[place] > 0}
        found: dict[int, Published] = {}
        for record in self._read(starts) if starts else []:
            envelope = _envelope(record)
            if envelope and envelope.source == self._source:
                have = found.get(record.partition)
                if have is None or envelope.sequence >= have.sequence:
                    found[record.partition] = Published(envelope.sequence, envelope.id, record.place)
        return list(found.values())

    def _read(self, starts: Mapping[TopicPartition, int]) -> list[Record]:
        deadline = time.monotonic() + self._settings.kafka_request_timeout.total_seconds()
        records: list[Record] = []
        with closing(PartitionReader(self._settings, "newest", starts)) as tail:
            while not tail.at_end:
                records += tail.poll(BATCH, POLL_S)
                if time.monotonic() > deadline:
                    raise BrokerUnavailableError(f"the end of {self._places[0].topic} cannot be read")
        return records


def _envelope(record: Record) -> Envelope | None:
    try:
        return from_headers(record.headers or [])
    except EnvelopeError:
        return None
