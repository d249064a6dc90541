"""Admin client: creates and checks topics, and reads topic ids, offsets, group members and cluster state."""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from enum import Enum
from typing import Protocol

import msgspec
from confluent_kafka import Consumer, IsolationLevel, KafkaError, KafkaException, TopicCollection
from confluent_kafka import TopicPartition as ClientPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # re-exported, unmarked
    AdminClient,
    ClusterMetadata,
    ConsumerGroupDescription,
    OffsetSpec,
    TopicDescription,
)
from confluent_kafka.cimpl import NewTopic

from services.chassis.kafka import config
from services.chassis.kafka.client_errors import ClientErrors
from services.chassis.kafka.error_codes import DENIED, STALE_METADATA, TEMPORARY, UNREACHED
from services.chassis.kafka.rights import advice
from services.chassis.kafka.settings import KafkaSettings
from services.chassis.messages.publisher import PartitionCountError
from services.chassis.messages.record import TopicPartition

REPLICATION = "APP_KAFKA_REPLICATION_FACTOR"
NEVER_S = 3600.0  # the longest request time-out that librdkafka takes
RECREATE = (
    "keys would move between partitions and lose their order, so nothing is published and nothing is lost; recreate "
    "the topic with its old number of partitions and publish it again, see the runbook RelayHalted"
)


class TopicsError(Exception):
    """The broker's topics differ from the catalog; the message gives the remedy."""


class BrokerUnavailableError(ConnectionError):
    """The broker does not answer; retry."""


class BrokerAnswerError(BrokerUnavailableError):
    """The broker answers with an error that may end by itself; retry."""


class BrokerRefusedError(BrokerUnavailableError):
    """The broker refuses the request; the message names the setting to change, here or on the broker."""


class Described(Protocol):
    """The description of a topic to create."""

    @property
    def name(self) -> str:
        """The topic's name."""

    @property
    def partitions(self) -> int:
        """The number of its partitions."""

    def settings(self) -> dict[str, str]:
        """Its configuration on the broker, by Kafka's names."""


class Cluster(msgspec.Struct, frozen=True):
    """The number of brokers, and of under-replicated partitions by topic."""

    brokers: int
    under_replicated: Mapping[str, int]


class KafkaAdmin:
    """The admin client. Every method raises BrokerUnavailableError if the broker is unreachable."""

    def __init__(self, settings: KafkaSettings, name: str) -> None:
        self._name = f"Kafka at {settings.kafka_bootstrap_servers}"
        self._errors = ClientErrors(settings)
        self._client = config.client(settings, name, self._errors)
        self._admin = AdminClient(self._client)
        self._settings = settings
        self._timeout_s = settings.kafka_request_timeout.total_seconds()

    def reach(self, timeout_s: float) -> None:
        """Request the cluster's metadata. Raises BrokerUnavailableError only."""
        try:
            self._admin.list_topics(timeout=timeout_s)
        except KafkaException as error:
            raise self._unavailable(error, self._name) from error
        self._errors.clear()

    def ensure(self, topics: Sequence[Described]) -> list[str]:
        """Create missing topics and return their names.

        Raises TopicsError if an existing topic has another number of partitions.
        """
        created = [topic.name for topic in topics if self._create(topic)]
        if existing := {topic.name for topic in topics} - set(created):
            self._require_described(existing)
        if wrong := self._wrong_counts({topic.name: topic.partitions for topic in topics}):
            remedy = "keys would move between partitions and lose their order; delete the topic or correct the catalog"
            raise TopicsError("\n".join(f"{difference}: {remedy}" for difference in wrong))
        return created

    def require_partitions(self, expected: Mapping[str, int]) -> None:
        """Check the number of partitions of existing topics. Raises PartitionCountError."""
        if wrong := self._wrong_counts(expected):
            raise PartitionCountError(f"{', '.join(wrong)}: {RECREATE}")

    def ids(self, names: Iterable[str]) -> dict[str, str]:
        """Return the 22-character id of each topic; for a missing one raises BrokerUnavailableError."""
        found = {}
        for name, future in self._admin.describe_topics(
            TopicCollection(list(names)), request_timeout=self._timeout_s
        ).items():
            try:
                # librdkafka prints standard base64, Kafka's own tools the URL-safe form.
                found[name] = str(future.result().topic_id).replace("+", "-").replace("/", "_")
            except KafkaException as error:
                what = f"topic {name} (if it is missing: `console topics` creates it)"
                raise self._explained(error, what, ("Describe", advice.TOPIC, name)) from error
        return found

    def operations(self, names: Sequence[str], timeout_s: float | None = None) -> dict[str, frozenset[str]]:
        """Return the operations that this client may do on each topic, such as Read; a missing topic is left out.

        Raises BrokerUnavailableError.
        """
        timeout_s = timeout_s or self._timeout_s
        self.reach(timeout_s)
        asked = TopicCollection(list(names))
        answers = self._admin.describe_topics(asked, include_authorized_operations=True, request_timeout=timeout_s)
        found = {name: self._allowed(name, future) for name, future in answers.items()}
        return {name: allowed for name, allowed in found.items() if allowed is not None}

    def begins(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """Return each partition's first offset."""
        return self._offsets(partitions, OffsetSpec.earliest())  # type: ignore[no-untyped-call]

    def ends(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """Return each partition's end offset, which its next record will get."""
        return self._offsets(partitions, OffsetSpec.latest())  # type: ignore[no-untyped-call]

    def size(self, partitions: Sequence[TopicPartition]) -> int:
        """Return the number of offsets, the most records that there can be: compaction and transactions leave holes."""
        return sum(self.ends(partitions).values()) - sum(self.begins(partitions).values())

    def stable_ends(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """Return the offset up to which each partition can be read now: its end, or its first open transaction."""
        return self._offsets(partitions, OffsetSpec.latest(), IsolationLevel.READ_COMMITTED)  # type: ignore[no-untyped-call]

    def since(self, partitions: Sequence[TopicPartition], moment_ms: int) -> dict[TopicPartition, int]:
        """Return each partition's first offset at or after a time (ms since 1970), its end if there is none."""
        found = self._offsets(partitions, OffsetSpec.for_timestamp(moment_ms))
        ends = self.ends(partitions)
        return {place: offset if offset >= 0 else ends[place] for place, offset in found.items()}

    def committed(self, group: str, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """Return the offsets that a group has committed to Kafka, also while it has no member."""
        # Read by a consumer that never joins: the admin client's call aborts the process on a broker that has just
        # started (librdkafka issue 5040).
        client = Consumer(self._client | {"group.id": self._settings.group_id(group), "enable.auto.commit": False})
        try:
            committed = client.committed([ClientPartition(p.topic, p.partition) for p in partitions], self._timeout_s)
        except KafkaException as error:
            if error.args[0].code() == KafkaError._TIMED_OUT:  # noqa: SLF001  # a constant
                self.member_ids([group])  # raises the cause: the request of a denied group times out
            raise self._explained(error, f"offsets of group {self._settings.group_id(group)}") from error
        finally:
            client.close()
        return {TopicPartition(place.topic, place.partition): place.offset for place in committed if place.offset >= 0}

    def members(self, groups: Iterable[str]) -> dict[str, int]:
        """Return the number of members of each group, 0 for an unknown one."""
        return {group: len(ids) for group, ids in self.member_ids(groups).items()}

    def member_ids(self, groups: Iterable[str]) -> dict[str, list[str]]:
        """Return the ids of the members of each group, none for an unknown one."""
        # Two faults of librdkafka (issue 4605). A client that has lost its broker once can describe no group any more:
        # hence a new one for each call, which must reach the broker first. A request that exceeds its time-out aborts
        # the process when the answer comes late, or the client ends: hence no time-out there, but one on the future.
        admin = AdminClient(self._client)
        names = {self._settings.group_id(group): group for group in groups}
        try:
            admin.list_topics(timeout=self._timeout_s)
        except KafkaException as error:
            raise self._explained(error, "members of groups") from error
        answers = admin.describe_consumer_groups(list(names), request_timeout=NEVER_S)
        return {names[group_id]: self._member_ids(group_id, future) for group_id, future in answers.items()}

    def cluster(self) -> Cluster:
        """Return the number of brokers and of under-replicated partitions."""
        metadata = self._metadata()
        under_replicated = {
            name: sum(len(place.isrs) < len(place.replicas) for place in topic.partitions.values())
            for name, topic in metadata.topics.items()
        }
        return Cluster(len(metadata.brokers), under_replicated)

    def _offsets(
        self,
        partitions: Iterable[TopicPartition],
        spec: OffsetSpec,
        isolation: IsolationLevel = IsolationLevel.READ_UNCOMMITTED,
    ) -> dict[TopicPartition, int]:
        request = {ClientPartition(p.topic, p.partition): spec for p in partitions}
        if not request:
            return {}
        found = {}
        answers = self._admin.list_offsets(request, isolation_level=isolation, request_timeout=self._timeout_s)
        for place, future in answers.items():
            try:
                found[TopicPartition(place.topic, place.partition)] = future.result().offset
            except KafkaException as error:
                if error.args[0].code() in STALE_METADATA:
                    self.reach(self._timeout_s)
                    self.ids([place.topic])  # raises the cause: `_NOENT` hides a denied or missing topic
                need = ("Describe", advice.TOPIC, place.topic)
                raise self._explained(error, f"{place.topic}[{place.partition}]", need) from error
        return found

    def _member_ids(self, group_id: str, future: Future[ConsumerGroupDescription]) -> list[str]:
        what = f"members of group {group_id}"
        try:
            return [member.member_id for member in future.result(self._timeout_s).members]
        except KafkaException as error:
            raise self._explained(error, what, ("Describe", advice.GROUP, group_id)) from error
        except TimeoutError as error:
            raise BrokerUnavailableError(f"{what}: no answer within {self._timeout_s:g} s") from error

    def _allowed(self, name: str, future: Future[TopicDescription]) -> frozenset[str] | None:
        try:
            operations: Iterable[Enum] = future.result().authorized_operations or ()
        except KafkaException as error:
            if error.args[0].code() == KafkaError.TOPIC_AUTHORIZATION_FAILED:
                return frozenset()
            if error.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                return None
            raise self._unavailable(error, f"rights on topic {name}") from error
        return frozenset(map(advice.operation_name, operations))

    def _create(self, topic: Described) -> bool:
        settings = topic.settings() | {"min.insync.replicas": str(self._settings.kafka_min_insync_replicas)}
        new = NewTopic(topic.name, topic.partitions, self._settings.kafka_replication_factor, config=settings)
        try:
            self._admin.create_topics([new], request_timeout=self._timeout_s)[topic.name].result()
        except KafkaException as error:
            if error.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS:
                return False
            raise self._explained(error, f"topic {topic.name}", ("Create", advice.TOPIC, topic.name)) from error
        return True

    def _require_described(self, topics: Iterable[str]) -> None:
        """Raise BrokerRefusedError for denied topics: they are not listed, so their partitions are not compared."""
        denied = [name for name, allowed in self.operations(sorted(topics)).items() if not allowed]
        if denied:
            raise BrokerRefusedError(advice.missing(self._settings, "Describe", advice.TOPIC, denied))

    def _wrong_counts(self, expected: Mapping[str, int]) -> list[str]:
        counts = {name: len(topic.partitions) for name, topic in self._metadata().topics.items()}
        return [
            f"topic {name} has {counts[name]} partitions on the broker, {number} in the catalog"
            for name, number in expected.items()
            if counts.get(name, number) != number
        ]

    def _metadata(self) -> ClusterMetadata:
        try:
            return self._admin.list_topics(timeout=self._timeout_s)
        except KafkaException as error:
            raise self._explained(error, "list of topics") from error

    def _explained(self, error: KafkaException, what: str, need: tuple[str, str, str] | None = None) -> Exception:
        cause: KafkaError = error.args[0]
        if cause.code() == KafkaError.INVALID_REPLICATION_FACTOR:  # or the other brokers are still starting
            return BrokerRefusedError(f"{what}: {cause.str()}: start more brokers, or lower {REPLICATION}")
        if cause.code() in DENIED:
            if need is None:
                return BrokerRefusedError(f"{what}: {cause.name()}")
            operation, kind, name = need
            advised = advice.missing(self._settings, operation, kind, [name])
            return BrokerRefusedError(f"{what}: {cause.name()}: {advised}")
        if not cause.retriable() and cause.code() not in TEMPORARY:
            return TopicsError(f"{what}: {cause.name()}: {cause.str()}")
        return self._unavailable(error, what)

    def _unavailable(self, error: KafkaException, what: str) -> BrokerUnavailableError:
        cause: KafkaError = error.args[0]
        reason = f"{cause.name()}: {cause.str()}"
        if cause.code() not in UNREACHED:
            return BrokerAnswerError(f"{what}: {reason}")
        self._admin.poll(0)  # serves error_cb
        if refused := self._errors.refusal():
            return BrokerRefusedError(f"{what}: {refused}")
        return BrokerUnavailableError(f"{what}: {self._errors.describe() or reason}")
