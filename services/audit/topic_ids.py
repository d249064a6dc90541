"""Topic ids by name, remembered for the entries."""

from collections.abc import Iterable

from services.chassis.consumer.offset_tracker import Broker
from services.chassis.messages.record import TopicPartition


class KnownIds:
    """A broker that remembers the topic ids that the consumer reads at each assignment."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._ids: dict[str, str] = {}

    def ids(self, names: Iterable[str]) -> dict[str, str]:
        """Return topic ids by name."""
        found = self._broker.ids(names)
        self._ids |= found
        return found

    def ends(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """Return the end offsets."""
        return self._broker.ends(partitions)

    def id_of(self, topic: str) -> str:
        """Return the id of a topic that records were read from."""
        return self._ids[topic]
