"""The command `complete`: reports each partition whose records have not all been entered. It only reads."""

from collections.abc import Iterator, Mapping
from contextlib import closing

from rich.console import Console

from services.audit import store
from services.audit.completeness.comparison import Broker, Shortfall, shortfalls, uncovered
from services.audit.settings import Settings
from services.chassis.kafka.partition_reader import PartitionReader
from services.chassis.messages.record import TopicPartition
from services.chassis.messages.terminal import print_line

NAME = "audit-complete"


def run(settings: Settings, broker: Broker, output: Console) -> bool:
    """Compare and report; return whether every record that the broker has is in the log.

    Raises StoreError, ConnectionError.
    """
    with store.existing(settings.database) as connection:
        size = store.read_size(connection, settings.audit_origin)
        found: Mapping[TopicPartition, Shortfall] = {}
        if places := uncovered(connection, broker):
            starts = {place: broker.begins[place] for place in places}
            with closing(PartitionReader(settings, NAME, starts)) as reader:
                found = shortfalls(connection, broker, reader.read_to_end())
    for line in lines(found):
        print_line(output, line)
    verdict = "incomplete" if found else "complete: each record that the broker has is in the log"
    print_line(output, f"{len(broker.begins)} partitions, {size:,} entries: {verdict}")
    return not found


def lines(found: Mapping[TopicPartition, Shortfall]) -> Iterator[str]:
    """Yield a line for each partition with a gap or behind."""
    for place in sorted(found, key=lambda place: (place.topic, place.partition)):
        lacks, parts = found[place], []
        if lacks.gap:
            parts.append(f"gap from offset {lacks.first_gap:,}, records without an entry: {lacks.gap:,}")
        if lacks.behind:
            parts.append(f"behind from offset {lacks.first_behind:,}, records without an entry: {lacks.behind:,}")
        yield f"{place.topic}[{place.partition}]: {'; '.join(parts)}"
