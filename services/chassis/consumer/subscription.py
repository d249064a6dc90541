"""What a consumer is told: who reads which topics, what is done with a batch, and what may stand in for Kafka."""

import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

import msgspec
from sqlalchemy import Connection

from services.chassis.consumer.dead_letters import DeadLetters, Refusal
from services.chassis.consumer.positions import Broker
from services.chassis.messages.record import Record, TopicPartition


class Outcome(msgspec.Struct):
    """What a handler did with a batch. `applied` holds each event's record, type and time, for the latency.

    `parked` counts those that were put behind parked ones of their keys: the consumer says so, not the handler.
    """

    refused: list[Refusal] = []
    applied: list[tuple[Record, str, datetime]] = []
    repeats: Counter[str] = msgspec.field(default_factory=Counter)
    not_subscribed: Counter[str] = msgspec.field(default_factory=Counter)
    parked: int = 0


Handler = Callable[[Connection, Sequence[Record]], Outcome]


class Source(Protocol):
    """A group member; see `chassis.kafka.group_consumer.Source`."""

    @property
    def assigned(self) -> frozenset[TopicPartition]:
        """The partitions that are this member's now."""

    def poll(self, limit: int, timeout_s: float) -> list[Record]:
        """Return the records at hand, waiting only for the first."""

    def seek(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Go to an offset in every assigned partition, the beginning where none is named."""

    def pause(self) -> None:
        """Stop fetching."""

    def resume(self) -> None:
        """Fetch again."""

    def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Hint to Kafka how far the group is."""

    def close(self) -> None:
        """Leave the group."""


Starts = Callable[[Sequence[TopicPartition]], Mapping[TopicPartition, int]]
OpenSource = Callable[[str, Sequence[str], Starts], Source]  # group, topics, where to start


class Subscription(msgspec.Struct, frozen=True):
    """Who reads what, and what is done with it. `dead_letters` is None for a handler that refuses nothing.

    `wakes` are set after each commit: relay and others need not poll for what the handler wrote.
    `parked_keys_ceiling` is how many keys may be parked; 0: a record that cannot be applied stops the consumer.
    `partitions` says how many a topic has; one more stops the consumer. What is not named is not checked.
    """

    group: str
    topics: tuple[str, ...]
    handle: Handler
    open_source: OpenSource
    broker: Broker
    dead_letters: DeadLetters | None = None
    batch: int = 1000
    wakes: tuple[threading.Event, ...] = ()
    parked_keys_ceiling: int = 0
    partitions: Mapping[str, int] = {}
