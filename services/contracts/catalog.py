"""The catalog: every topic and every type, as data. Topics are created from it; readers are built from it.

A topic's rule is its guarantee to readers:
*contiguous* versions of a key rise by one; *newest* the higher version wins and holes are normal;
*once* a record is unique by (`ce_source`, `ce_id`).
"""

import enum
from types import UnionType
from typing import Literal, get_args

import msgspec

from services.contracts import notification, operations, user
from services.contracts.envelope import DEAD_LETTER_HEADERS, LARGEST_RECORD
from services.contracts.service_list import PARKING, PUBLISHERS, readers

DAY_MS = 24 * 60 * 60 * 1000
FOREVER = -1
CHECKPOINT_TYPE = "text/plain; charset=utf-8"  # the media type of a signed note


class Rule(enum.StrEnum):
    """The guarantee that a topic gives its readers."""

    CONTIGUOUS = "contiguous"
    NEWEST = "newest"
    ONCE = "once"


class Pattern(enum.StrEnum):
    """Which of the patterns of event-driven architecture a topic shows."""

    EVENT_SOURCING = "event sourcing"
    DOMAIN_EVENTS = "domain events"
    STATE_TRANSFER = "event-carried state transfer"
    NOTIFICATION = "event notification"
    DEAD_LETTERS = "dead letters"
    OPERATIONS = "operator actions"
    CHECKPOINTS = "signed checkpoints"


class Topic(msgspec.Struct, frozen=True, kw_only=True):
    """One topic. `retention_ms` -1 means for ever; `publishers` are names of services.

    `sources` has the `ce_source` of each publisher's records, `types` their `ce_type`s; dead letters keep those they
    came with, and checkpoints have none: they are no events.
    """

    name: str
    pattern: Pattern
    rule: Rule
    publishers: tuple[str, ...]
    sources: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    partitions: int = 6
    cleanup: Literal["delete", "compact"] = "delete"
    retention_ms: int = FOREVER
    max_record_bytes: int = LARGEST_RECORD

    @property
    def readers(self) -> tuple[str, ...]:
        """The services whose consumer reads it. No service reads what it publishes itself."""
        return tuple(name for name in readers(self.name) if name not in self.publishers)

    def settings(self) -> dict[str, str]:
        """Return the topic's Kafka configuration."""
        settings = {
            "cleanup.policy": self.cleanup,
            "max.message.bytes": str(self.max_record_bytes),
            "message.timestamp.type": "CreateTime",
        }
        if self.cleanup == "delete":
            return settings | {"retention.ms": str(self.retention_ms)}
        # A state must outlive every notice that points at it: both wait as long as notices are kept.
        kept = str(USER_NOTICES.retention_ms)
        return settings | {"min.compaction.lag.ms": kept, "delete.retention.ms": kept}


TYPES: dict[str, type[msgspec.Struct]] = {
    "user.registered": user.UserRegistered,
    "user.email_changed": user.EmailChanged,
    "user.profile_changed": user.ProfileChanged,
    "user.preferences_changed": user.PreferencesChanged,
    "user.contact_flagged": user.ContactFlagged,
    "user.contact_cleared": user.ContactCleared,
    "user.deactivated": user.UserDeactivated,
    "user.state": user.UserState,
    "user.notice": user.UserNotice,
    "notification.queued": notification.NotificationQueued,
    "notification.suppressed": notification.NotificationSuppressed,
    "notification.sent": notification.NotificationSent,
    "notification.failed": notification.NotificationFailed,
    operations.ACTED: operations.OperatorActed,
}
TYPE_NAMES = {struct: name for name, struct in TYPES.items()}


def published_by(service: str) -> dict[str, int]:
    """Return the topics of a service's own events, with their partitions."""
    return {topic.name: topic.partitions for topic in TOPICS if topic.publishers == (service,) and topic.types}


def read_by(service: str) -> tuple[Topic, ...]:
    """Return the topics that a service's consumer reads."""
    return tuple(topic for topic in TOPICS if service in topic.readers)


def _names(facts: UnionType) -> tuple[str, ...]:
    return tuple(TYPE_NAMES[fact] for fact in get_args(facts))


USER_EVENTS = Topic(
    name="user.events.v1",
    pattern=Pattern.EVENT_SOURCING,
    rule=Rule.CONTIGUOUS,
    publishers=("user",),
    sources=(user.EVENTS,),
    types=_names(user.Fact),
)
USER_STATE = Topic(
    name="user.state.v1",
    pattern=Pattern.STATE_TRANSFER,
    rule=Rule.NEWEST,
    publishers=("user",),
    sources=(user.STATE,),
    types=("user.state",),
    cleanup="compact",
)
USER_NOTICES = Topic(
    name="user.notices.v1",
    pattern=Pattern.NOTIFICATION,
    rule=Rule.ONCE,
    publishers=("user",),
    sources=(user.NOTICES,),
    types=("user.notice",),
    retention_ms=7 * DAY_MS,
)
NOTIFICATION_EVENTS = Topic(
    name="notification.events.v1",
    pattern=Pattern.DOMAIN_EVENTS,
    rule=Rule.ONCE,
    publishers=("notification",),
    sources=(notification.EVENTS,),
    types=_names(notification.Fact),
    retention_ms=30 * DAY_MS,
)
DEAD_LETTERS = {
    service: Topic(
        name=f"{service}.dlq.v1",
        pattern=Pattern.DEAD_LETTERS,
        rule=Rule.ONCE,
        publishers=(service,),
        partitions=1,
        retention_ms=30 * DAY_MS,
        max_record_bytes=LARGEST_RECORD + DEAD_LETTER_HEADERS,
    )
    for service in PARKING
}
AUDIT_CHECKPOINTS = Topic(
    name="audit.checkpoints.v1",
    pattern=Pattern.CHECKPOINTS,
    rule=Rule.ONCE,
    publishers=("audit",),
    partitions=1,
)
OPERATIONS = Topic(
    name=operations.TOPIC,
    pattern=Pattern.OPERATIONS,
    rule=Rule.ONCE,
    publishers=PUBLISHERS,
    sources=tuple(operations.source_of(service) for service in PUBLISHERS),
    types=(operations.ACTED,),
    partitions=1,
)
EVENT_TOPICS = (USER_EVENTS, USER_STATE, USER_NOTICES, NOTIFICATION_EVENTS, *DEAD_LETTERS.values(), OPERATIONS)
TOPICS = (*EVENT_TOPICS, AUDIT_CHECKPOINTS)  # a checkpoint is no event: it has no envelope, no command leads to it
