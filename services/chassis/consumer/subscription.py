"""The configuration of a consumer: group, topics, handler, and the interfaces that it needs of Kafka."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

import msgspec
from sqlalchemy import Connection

from services.chassis.consumer.held.reasons import Refusal
from services.chassis.consumer.offset_tracker import Broker
from services.chassis.messages.record import Record, TopicPartition

if TYPE_CHECKING:  # its import declares a table, which a service that holds no records does not have
    from services.chassis.consumer.held.held_records import HeldRecords


class Outcome(msgspec.Struct):
    """A handler's result for a batch. `applied` has each event's record, type and time, for the latency.

    `parked` counts records parked behind others of their key; it is set by the consumer, not by the handler.
    """

    refused: list[Refusal] = []
    applied: list[tuple[Record, str, datetime]] = []
    repeats: Counter[str] = msgspec.field(default_factory=Counter)
    not_subscribed: Counter[str] = msgspec.field(default_factory=Counter)
    parked: int = 0


Handler = Callable[[Connection, Sequence[Record]], Outcome]


class GroupMember(Protocol):
    """A member of a consumer group; see `chassis.kafka.group_consumer.GroupConsumer`."""

    @property
    def assigned(self) -> frozenset[TopicPartition]:
        """The partitions that this member owns now."""

    def has_joined(self) -> bool:
        """Return True once the group has given this member its share. Raises ConnectionError with what prevents it."""

    def poll(self, limit: int, timeout_s: float) -> list[Record]:
        """Return the available records, waiting only for the first. Raises ConnectionError: it must be reopened."""

    def take_ends(self) -> Mapping[TopicPartition, int]:
        """Return the ends that were reached since the last call, each behind everything that `poll` has returned."""

    def seek(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Set the offset of each assigned partition, the beginning if none is given."""

    def pause(self) -> None:
        """Stop fetching; `poll` still keeps the membership."""

    def resume(self) -> None:
        """Fetch again."""

    def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Commit offsets to Kafka, as a hint for lag tools."""

    def close(self) -> None:
        """Leave the group."""


class Signal(Protocol):
    """A signal to another thread, such as an event."""

    def set(self) -> None:
        """Give it."""


StartOffsets = Callable[[Sequence[TopicPartition]], Mapping[TopicPartition, int]]
JoinGroup = Callable[[str, Sequence[str], StartOffsets], GroupMember]  # group, topics, start offsets


class Subscription(msgspec.Struct, frozen=True):
    """A group, its topics and their handler. Without `held` a record that cannot be applied stops the consumer.

    `commit_signals` are set after each commit, so that the relay and others need not poll for the handler's writes.
    `partitions` has the expected number by topic; an added one stops the consumer. Others are not checked.
    With `needed` the service is not ready before it has partitions, nor while the broker refuses its member.
    While records arrive steadily, a batch has those of `gather_s` seconds.
    """

    group: str
    topics: tuple[str, ...]
    handle: Handler
    join_group: JoinGroup
    broker: Broker
    held: "HeldRecords | None" = None
    batch: int = 1000
    commit_signals: tuple[Signal, ...] = ()
    partitions: Mapping[str, int] = {}
    needed: bool = True
    gather_s: float = 0.0
