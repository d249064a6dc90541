"""The span of a topic that a run exports, and its records."""

from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import datetime

import msgspec

from services.chassis.kafka.admin import KafkaAdmin
from services.chassis.kafka.partition_reader import PartitionReader
from services.chassis.kafka.settings import KafkaSettings
from services.chassis.messages.clock import to_micros
from services.chassis.messages.record import Record, TopicPartition, partitions_of
from services.console.export.position import NEW, Gap
from services.console.failures import UsageError
from services.contracts.catalog import Topic

BEGINNING = "beginning"
Offsets = Mapping[TopicPartition, int]


class Span(msgspec.Struct, frozen=True):
    """The offsets of a run: each partition from `starts` to before `ends`, the ends when it began; and what is gone."""

    starts: Offsets
    ends: Offsets
    gaps: tuple[Gap, ...] = ()

    @property
    def records(self) -> int:
        """The number of offsets, the most that there can be: compaction and transactions leave holes."""
        return sum(end - self.starts[place] for place, end in self.ends.items())


def first(admin: KafkaAdmin, topic: Topic, since: str | None) -> dict[int, int]:
    """Return the first offset by partition, at or after a moment, or without one the beginning."""
    if since in {None, BEGINNING}:
        found = admin.begins(_places(topic))
    else:
        moment_ms = -(-to_micros(datetime.fromisoformat(since or "")) // 1000)
        found, ends = admin.since(_places(topic), moment_ms), admin.stable_ends(_places(topic))
        found = {place: min(start, ends[place]) for place, start in found.items()}
    return {place.partition: offset for place, offset in found.items()}


def span(admin: KafkaAdmin, topic: Topic, following: Mapping[int, int]) -> Span:
    """Return the span from offsets by partition. Raises UsageError if the topic ends before one of them."""
    ends, begins = admin.stable_ends(_places(topic)), admin.begins(_places(topic))
    for place, end in ends.items():
        if end < following[place.partition]:
            lost = f"{place.topic}[{place.partition}] ends at {end}, before the position {following[place.partition]}"
            raise UsageError(f"{lost}: the topic has lost records; find out why, then {NEW}")
    starts = {place: max(following[place.partition], begin) for place, begin in begins.items()}
    gaps = (Gap(place.partition, following[place.partition], start - 1) for place, start in starts.items())
    return Span(starts, {place: max(end, starts[place]) for place, end in ends.items()}, tuple(filter(_is_gap, gaps)))


def _is_gap(gap: Gap) -> bool:
    return gap.records > 0


def _places(topic: Topic) -> list[TopicPartition]:
    return partitions_of(topic.name, topic.partitions)


def read(settings: KafkaSettings, wanted: Span) -> Iterator[list[Record]]:
    """Yield the records of a range in batches, those of one partition in order. Raises TopicUnavailableError."""
    starts = {place: start for place, start in wanted.starts.items() if start < wanted.ends[place]}
    left = set(starts)
    if not left:
        return
    with closing(PartitionReader(settings, "console-export", starts)) as reader:
        for batch in reader.read_to_end():
            yield [record for record in batch if record.offset < wanted.ends[_place(record)]]
            left -= {_place(record) for record in batch if record.offset >= wanted.ends[_place(record)] - 1}
            if not left:
                return


def _place(record: Record) -> TopicPartition:
    return TopicPartition(record.topic, record.partition)
