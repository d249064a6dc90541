"""Error codes of the broker and of librdkafka, by what a caller can do about them."""

from confluent_kafka import KafkaError

# librdkafka's own error codes are public constants with an underscore.
REPLACED = KafkaError._DESTROY_BROKER  # noqa: SLF001  # the client itself has closed the request's connection
UNREACHED = frozenset({KafkaError._TIMED_OUT, KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, REPLACED})  # noqa: SLF001
# Temporary too: a new topic that not every broker knows, a partition whose leader is starting, a group whose
# coordinator has just restarted.
TEMPORARY = UNREACHED | {
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError._NOENT,  # noqa: SLF001
    KafkaError.FENCED_LEADER_EPOCH,
    KafkaError.UNKNOWN_LEADER_EPOCH,
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.NOT_COORDINATOR,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
}
# After a broker's restart, a request before it knew the topic, or a denied one, the client would use its old metadata
# until it ends, unless it is refreshed.
STALE_METADATA = {
    KafkaError.FENCED_LEADER_EPOCH,
    KafkaError.UNKNOWN_LEADER_EPOCH,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError._NOENT,  # noqa: SLF001
}
DENIED = {
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
}
