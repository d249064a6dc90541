"""Answers to a produce request that no later try can change: the record itself is refused.

Every other code of librdkafka is retried: the broker is unreachable or not ready (`_MSG_TIMED_OUT`, `_TRANSPORT`,
`NOT_ENOUGH_REPLICAS`), a right is missing (`TOPIC_AUTHORIZATION_FAILED`) or a topic (`UNKNOWN_TOPIC_OR_PART`), a
request was damaged on its way (`INVALID_MSG`), or a setting is wrong for all records (`UNSUPPORTED_FOR_MESSAGE_FORMAT`,
`UNSUPPORTED_COMPRESSION_TYPE`, `INVALID_REQUIRED_ACKS`): an operator ends each of them without touching the event.
So is `INVALID_TIMESTAMP`: a record's timestamp is the present, so that a clock is wrong and not the event.
"""

from collections.abc import Collection

# By name, as `KafkaError.name()` returns it.
PERMANENT = {
    "MSG_SIZE_TOO_LARGE": "the record is above message.max.bytes of the client or max.message.bytes of the topic",
    "INVALID_MSG_SIZE": "the record's size is not valid",
    "RECORD_LIST_TOO_LARGE": "the batch is above the segment size of the topic",
    "INVALID_RECORD": "the record breaks a rule of the topic: a compacted one takes no record without a key",
    "_INVALID_DIFFERENT_RECORD": "another record of its batch was refused",
}


def first(names: Collection[str]) -> str | None:
    """Return the permanent refusal among the errors of a batch, None if there is none."""
    found = [name for name in PERMANENT if name in names]  # the last of the table is no record's own fault
    return found[0] if found else None
