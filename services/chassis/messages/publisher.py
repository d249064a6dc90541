"""The interface of a producer."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from services.chassis.messages.event import Published
from services.chassis.messages.record import Outgoing


class PublishError(ConnectionError):
    """Some records of a batch were not acknowledged; they may have been written."""


class RecordRefusedError(Exception):
    """Client or broker refuse a record of a batch for good; the message gives the reason. No retry can succeed."""


class PartitionCountError(Exception):
    """A topic has another number of partitions than its publisher expects: keys have moved between partitions."""


class Publisher(Protocol):
    """A producer; see `chassis.kafka.producer.Producer`. After an error it must be closed and not used again."""

    def publish(self, records: Iterable[Outgoing]) -> Mapping[str, int]:
        """Write records in order and wait for the acknowledgement of each. Returns the number per topic."""

    def poll(self) -> None:
        """Serve the client's statistics callbacks; cheap, and needed while nothing is published."""

    def close(self) -> None:
        """Drop queued records, so that none is written after those of the next producer."""


# Raises PartitionCountError, and ConnectionError while the broker is unreachable.
CheckTopics = Callable[[], None]
OpenProducer = Callable[[], Publisher]
# Returns the latest event of this publisher in each partition. Raises ConnectionError while the log cannot be read.
LatestPublished = Callable[[], Sequence[Published]]
