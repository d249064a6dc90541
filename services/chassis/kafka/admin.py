"""Topics on the broker: created as described, compared with what is there, looked up by id and end."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import msgspec
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicCollection
from confluent_kafka import TopicPartition as ClientPartition
from confluent_kafka.admin import AdminClient, ClusterMetadata, OffsetSpec  # type: ignore[attr-defined]  # re-exported, unmarked
from confluent_kafka.cimpl import NewTopic

from services.chassis.kafka import config
from services.chassis.kafka.client_errors import ClientErrors
from services.chassis.kafka.settings import KafkaSettings
from services.chassis.messages.record import TopicPartition

REPLICATION = "APP_KAFKA_REPLICATION_FACTOR"
# librdkafka's own codes are public constants with an underscore.
UNREACHED = frozenset({KafkaError._TIMED_OUT, KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN})  # noqa: SLF001
# A topic just created and not yet known to every broker; a partition whose broker is still on its way, or just back; a
# group whose coordinator is just back.
AWAY = UNREACHED | {
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError._NOENT,  # noqa: SLF001
    KafkaError.FENCED_LEADER_EPOCH,
    KafkaError.NOT_COORDINATOR,
}
# A broker was restarted, or was asked before it knew the topic: the client would go on asking by what it knew then, for
# minutes, unless it hears of the cluster anew.
OUTDATED = {KafkaError.FENCED_LEADER_EPOCH, KafkaError.UNKNOWN_TOPIC_OR_PART}


class TopicsError(Exception):
    """The broker's topics are not what they should be; the message says what to do."""


class BrokerUnavailableError(ConnectionError):
    """The broker does not answer; trying again is the cure."""


class BrokerRefusedError(BrokerUnavailableError):
    """The broker is there and does not do for us what it is asked; the message says what to set, here or there."""


class Described(Protocol):
    """What is needed to create a topic."""

    @property
    def name(self) -> str:
        """The topic's name."""

    @property
    def partitions(self) -> int:
        """How many partitions it has."""

    def settings(self) -> dict[str, str]:
        """Its configuration on the broker."""


class Cluster(msgspec.Struct, frozen=True):
    """A cluster: its brokers, and how many partitions of each topic have replicas that are not in sync."""

    brokers: int
    under_replicated: Mapping[str, int]


class KafkaAdmin:
    """An administrator's view of the broker. Every method raises BrokerUnavailableError when it is away."""

    def __init__(self, settings: KafkaSettings, name: str) -> None:
        self._name = f"Kafka at {settings.kafka_bootstrap_servers}"
        self._trouble = ClientErrors(settings)
        self._client = config.client(settings, name, self._trouble)
        self._admin = AdminClient(self._client)
        self._patience = settings.kafka_request_timeout.total_seconds()
        self._replication = settings.kafka_replication_factor
        self._min_insync = str(settings.kafka_min_insync_replicas)

    def reach(self, timeout_s: float) -> None:
        """Ask the broker for anything at all: raises nothing but BrokerUnavailableError."""
        try:
            self._admin.list_topics(timeout=timeout_s)
        except KafkaException as error:
            raise self._away(error, self._name) from error
        self._trouble.forget()

    def ensure(self, topics: Sequence[Described]) -> list[str]:
        """Create the topics that are missing. Returns their names.

        Raises TopicsError when a topic that is there has another number of partitions.
        """
        created = [topic.name for topic in topics if self._create(topic)]
        there = self._partition_counts()
        wrong = [
            f"topic {topic.name} has {there[topic.name]} partitions on the broker, {topic.partitions} in the catalog: "
            "keys would move between partitions and lose their order; delete the topic or correct the catalog"
            for topic in topics
            if there.get(topic.name, topic.partitions) != topic.partitions
        ]
        if wrong:
            raise TopicsError("\n".join(wrong))
        return created

    def ids(self, names: Iterable[str]) -> dict[str, str]:
        """Return the 22-character id of each topic; one that does not exist counts as not there yet."""
        found = {}
        for name, future in self._admin.describe_topics(
            TopicCollection(list(names)), request_timeout=self._patience
        ).items():
            try:
                # librdkafka prints standard base64, Kafka's own tools the URL-safe form.
                found[name] = str(future.result().topic_id).replace("+", "-").replace("/", "_")
            except KafkaException as error:
                raise self._explained(error, f"topic {name} (if it is missing: `console topics` creates it)") from error
        return found

    def begins(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """Return the offset of the oldest record that each partition still has."""
        return self._offsets(partitions, OffsetSpec.earliest())  # type: ignore[no-untyped-call]

    def ends(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """Return the offset that the next record of each partition will get."""
        return self._offsets(partitions, OffsetSpec.latest())  # type: ignore[no-untyped-call]

    def since(self, partitions: Sequence[TopicPartition], moment_ms: int) -> dict[TopicPartition, int]:
        """Return the offset of each partition's first record from a time on (since 1970), its end where none is."""
        found = self._offsets(partitions, OffsetSpec.for_timestamp(moment_ms))
        ends = self.ends(partitions)
        return {place: offset if offset >= 0 else ends[place] for place, offset in found.items()}

    def committed(self, group: str, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """Return the offsets that a group told Kafka, also while it has no member; none where it told nothing."""
        # Asked as a consumer that never joins: the admin client's way ends the process on a broker that has just
        # started (librdkafka issue 5040).
        client = Consumer(self._client | {"group.id": group, "enable.auto.commit": False})
        try:
            told = client.committed([ClientPartition(p.topic, p.partition) for p in partitions], self._patience)
        except KafkaException as error:
            raise self._explained(error, f"offsets of group {group}") from error
        finally:
            client.close()
        return {TopicPartition(place.topic, place.partition): place.offset for place in told if place.offset >= 0}

    def members(self, groups: Iterable[str]) -> dict[str, int]:
        """Return how many members each group has; one that nobody knows has none."""
        # A client that has lost its broker once describes no group any more, and may abort the process
        # (librdkafka 4605): so one for each look, which must reach the broker first.
        admin = AdminClient(self._client)
        found = {}
        try:
            admin.list_topics(timeout=self._patience)
            for group, future in admin.describe_consumer_groups(list(groups), request_timeout=self._patience).items():
                found[group] = len(future.result().members)
        except KafkaException as error:
            raise self._explained(error, "members of groups") from error
        return found

    def cluster(self) -> Cluster:
        """Return what there is of brokers, and what lacks replicas."""
        there = self._metadata()
        lacking = {
            name: sum(len(place.isrs) < len(place.replicas) for place in topic.partitions.values())
            for name, topic in there.topics.items()
        }
        return Cluster(len(there.brokers), lacking)

    def _offsets(self, partitions: Iterable[TopicPartition], which: OffsetSpec) -> dict[TopicPartition, int]:
        asked = {ClientPartition(p.topic, p.partition): which for p in partitions}
        if not asked:
            return {}
        found = {}
        for place, future in self._admin.list_offsets(asked, request_timeout=self._patience).items():
            try:
                found[TopicPartition(place.topic, place.partition)] = future.result().offset
            except KafkaException as error:
                if error.args[0].code() in OUTDATED:
                    self.reach(self._patience)
                raise self._explained(error, f"{place.topic}[{place.partition}]") from error
        return found

    def _create(self, topic: Described) -> bool:
        settings = topic.settings() | {"min.insync.replicas": self._min_insync}
        new = NewTopic(topic.name, topic.partitions, self._replication, config=settings)
        try:
            self._admin.create_topics([new], request_timeout=self._patience)[topic.name].result()
        except KafkaException as error:
            if error.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS:
                return False
            raise self._explained(error, f"topic {topic.name}") from error
        return True

    def _partition_counts(self) -> dict[str, int]:
        return {name: len(topic.partitions) for name, topic in self._metadata().topics.items()}

    def _metadata(self) -> ClusterMetadata:
        try:
            return self._admin.list_topics(timeout=self._patience)
        except KafkaException as error:
            raise self._explained(error, "list of topics") from error

    def _explained(self, error: KafkaException, what: str) -> Exception:
        cause: KafkaError = error.args[0]
        if cause.code() == KafkaError.INVALID_REPLICATION_FACTOR:  # or the other brokers are still on their way
            return BrokerRefusedError(f"{what}: {cause.str()}: start more brokers, or lower {REPLICATION}")
        if not cause.retriable() and cause.code() not in AWAY:
            return TopicsError(f"{what}: {cause.name()}: {cause.str()}")
        return self._away(error, what)

    def _away(self, error: KafkaException, what: str) -> BrokerUnavailableError:
        cause: KafkaError = error.args[0]
        told = f"{cause.name()}: {cause.str()}"
        if cause.code() not in UNREACHED:
            return BrokerUnavailableError(f"{what}: {told}")
        self._admin.poll(0)  # hands over what the client has heard
        if refused := self._trouble.refused():
            return BrokerRefusedError(f"{what}: {refused}")
        return BrokerUnavailableError(f"{what}: {self._trouble.words() or told}")
