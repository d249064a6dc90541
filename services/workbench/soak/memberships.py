"""Rebalances of a consumer group, read from the broker's group topic."""

import contextlib
import struct

from services.chassis.kafka.admin import KafkaAdmin
from services.chassis.kafka.partition_reader import PartitionReader
from services.chassis.kafka.settings import KafkaSettings
from services.chassis.messages.record import TopicPartition

GROUPS = TopicPartition("__consumer_offsets", 0)  # our broker gives it one partition
COMMITS = frozenset({0, 1})  # the kinds of key that tell of offsets; all others tell of members and assignments


def now(settings: KafkaSettings) -> int:
    """Return where the next change of any group will stand."""
    return KafkaAdmin(settings, "memberships").ends([GROUPS])[GROUPS]


def changes(settings: KafkaSettings, group: str, since: int) -> int:
    """Return how often a group's members or assignments have changed: joins, leaves, rebalances."""
    end, group_id = now(settings), settings.group_id(group)
    number = 0
    if since == end:
        return 0
    with contextlib.closing(PartitionReader(settings, "memberships", {GROUPS: since})) as tail:
        while not tail.at_end:
            number += sum(
                _tells_of(group_id, record.key or b"") for record in tail.poll(1000, 1.0) if record.offset < end
            )
    return number


def _tells_of(group_id: str, key: bytes) -> bool:
    # Kafka's coordinator records: a two-byte kind, then the group's name with a two-byte length before it.
    kind, length = struct.unpack_from(">hh", key)
    return kind not in COMMITS and key[4 : 4 + length] == group_id.encode()
