"""What writes records, as its users see it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from services.chassis.messages.event import Published
from services.chassis.messages.record import Outgoing


class PublishError(ConnectionError):
    """Some records of a batch are not known to be written. It does not mean that they were not."""


class Publisher(Protocol):
    """A producer; see `chassis.kafka.producer.Producer`. After a PublishError it must be closed and not used again."""

    def publish(self, records: Iterable[Outgoing]) -> Mapping[str, int]:
        """Write records in order and wait for the broker's word on each. Returns the number per topic."""

    def poll(self) -> None:
        """Let the client tell of itself: costs next to nothing, and is due now and then while nothing is published."""

    def close(self) -> None:
        """Drop what is still queued, so that nothing of this producer is written after its successor's."""


OpenProducer = Callable[[], Publisher]
# Returns the latest event of this publisher in each partition. Raises ConnectionError while the log cannot be read.
LatestPublished = Callable[[], Sequence[Published]]
