"""The rights on topics that a process needs before it writes anything, checked by asking the broker for its operations.

A denied topic is known to a producer only after it has written the others: a batch would leave them again at each try.
A broker without an authorizer answers with every operation.
"""

from collections.abc import Mapping, Sequence

import msgspec

from services.chassis.kafka.admin import BrokerRefusedError, KafkaAdmin
from services.chassis.kafka.rights import advice
from services.chassis.kafka.settings import KafkaSettings

READ, WRITE = "Read", "Write"


class RightMissingError(BrokerRefusedError):
    """The broker denies operations on topics; the message has a line for each operation. It goes on once granted."""


class TopicRights(msgspec.Struct, frozen=True):
    """The topics that a component writes, and those that it reads outside any group."""

    write: tuple[str, ...] = ()
    read: tuple[str, ...] = ()

    def __add__(self, other: "TopicRights") -> "TopicRights":
        """Return the rights of both."""
        return TopicRights(self.write + other.write, self.read + other.read)

    def missing(self, allowed: Mapping[str, frozenset[str]]) -> dict[str, list[str]]:
        """Return the denied topics by operation; a topic that is not in `allowed` does not exist."""
        wanted = {WRITE: self.write, READ: self.read}
        denied = {
            operation: [name for name in topics if operation not in allowed.get(name, {operation})]
            for operation, topics in wanted.items()
        }
        return {operation: topics for operation, topics in denied.items() if topics}


class RightsCheck:
    """Asks the broker for the operations on topics. Thread-safe."""

    def __init__(self, settings: KafkaSettings, admin: KafkaAdmin) -> None:
        self._settings = settings
        self._admin = admin

    def require(self, rights: TopicRights, timeout_s: float | None = None) -> None:
        """Raise RightMissingError if a right is missing, BrokerUnavailableError if the broker does not answer."""
        topics = dict.fromkeys(rights.write + rights.read)
        if not topics:
            return
        allowed = self._admin.operations(list(topics), timeout_s)
        lines = [self._line(operation, denied) for operation, denied in rights.missing(allowed).items()]
        if lines:
            raise RightMissingError("; ".join(lines))

    def _line(self, operation: str, topics: Sequence[str]) -> str:
        return advice.missing(self._settings, operation, advice.TOPIC, topics)
