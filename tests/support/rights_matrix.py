"""The matrix of principal, resource and operation against a broker: by its authorized operations, and by doing each.

Doing writes records and offsets and deletes what may be deleted: only on a broker of a test. Asking changes nothing.
"""

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain
from typing import Any, NamedTuple

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    ConsumerGroupTopicPartitions,
    KafkaError,
    KafkaException,
    Message,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka import Producer as Client
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # re-exported, unmarked
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from services.chassis.kafka import config
from services.chassis.kafka.access.acls import CLUSTER
from services.chassis.kafka.access.authorized import THE_CLUSTER, Resource, authorized
from services.chassis.kafka.settings import KafkaSettings
from services.console.rights.table import Table
from services.contracts.access import GROUP, TOPIC

CONFIGS = ("DescribeConfigs", "AlterConfigs")
OPERATIONS = {
    TOPIC: ("Read", "Write", "Create", "Delete", "Alter", "Describe", *CONFIGS),
    GROUP: ("Read", "Describe", "Delete", *CONFIGS),
    CLUSTER: ("Create", "Alter", "Describe", "ClusterAction", "IdempotentWrite", *CONFIGS),
}
DENIED = {
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
}
ANSWER_S = 30.0
MORE_PARTITIONS = 60
Cell = tuple[str, str, str]  # kind, name, operation
Clients = Mapping[str, KafkaSettings]


class Outcome(NamedTuple):
    """The number of cells that were tried, and a line for each that is not as the table has it."""

    cells: int
    wrong: list[str]


def by_word(clients: Clients, table: Table, super_users: Collection[str] = ()) -> Outcome:
    """Ask the broker as each principal for its authorized operations. Principals that the table lacks may nothing."""

    def asked(settings: KafkaSettings) -> dict[Cell, bool]:
        found = authorized(settings, table.topics(), table.groups())
        return {
            (kind, name, operation): operation in found.get((kind, name), ())
            for kind, name in _resources(table)
            for operation in OPERATIONS[kind]
        }

    return _compared(_each(asked, clients), table, super_users)


def by_doing(clients: Clients, table: Table) -> Outcome:
    """Do each operation as each principal; none of them is a super user. There is a record in each topic."""
    tried = _each(lambda settings: _Trial(settings, table).all(), clients)
    deleted = _each(lambda settings: _Trial(settings, table).deletions(), clients)
    return _compared({name: tried[name] | deleted[name] for name in clients}, table)


def _compared(found: Mapping[str, Mapping[Cell, bool]], table: Table, super_users: Collection[str] = ()) -> Outcome:
    wrong = []
    for principal, cells in found.items():
        expected = table.operations(principal)
        for (kind, name, operation), may in cells.items():
            should = principal in super_users or operation in expected.get((kind, name), ())
            if may != should:
                wrong.append(f"{'extra' if may else 'missing'}: {principal} {operation} {kind} {name}")
    return Outcome(sum(map(len, found.values())), wrong)


def _resources(table: Table) -> Iterator[Resource]:
    yield from ((TOPIC, name) for name in table.topics())
    yield from ((GROUP, name) for name in table.groups())
    yield THE_CLUSTER


def _each(act: Callable[[KafkaSettings], dict[Cell, bool]], clients: Clients) -> dict[str, dict[Cell, bool]]:
    with ThreadPoolExecutor(len(clients)) as pool:
        return dict(zip(clients, pool.map(act, clients.values()), strict=True))


class _Trial:
    """Operations of one principal; each is True if the broker let it through, whatever else it answered."""

    def __init__(self, settings: KafkaSettings, table: Table) -> None:
        self._settings = settings
        self._topics, self._groups = table.topics(), table.groups()
        self._client = config.client(settings, "matrix")
        self._admin = AdminClient(self._client)

    def all(self) -> dict[Cell, bool]:
        """Return everything but deletions."""
        topics = self._administered()
        describable = [name for name in self._topics if topics[TOPIC, name, "Describe"]]
        return topics | self._written() | self._read(describable) | self._grouped() | self._clustered()

    def deletions(self) -> dict[Cell, bool]:
        """Delete topics and groups."""
        groups = self._admin.delete_consumer_groups(self._groups, request_timeout=ANSWER_S)
        topics = self._admin.delete_topics(self._topics, request_timeout=ANSWER_S)
        return {(GROUP, name, "Delete"): _allowed(done) for name, done in groups.items()} | {
            (TOPIC, name, "Delete"): _allowed(done) for name, done in topics.items()
        }

    def _administered(self) -> dict[Cell, bool]:
        more = [NewPartitions(name, MORE_PARTITIONS) for name in self._topics]
        asked: dict[str, Mapping[Any, Future[Any]]] = {
            "Describe": self._admin.describe_topics(TopicCollection(self._topics)),
            "Create": self._admin.create_topics([NewTopic(name, 1) for name in self._topics], validate_only=True),
            "Alter": self._admin.create_partitions(more, validate_only=True),
            "DescribeConfigs": self._admin.describe_configs(list(map(_resource, self._topics))),
        }
        altered = [_resource(name, "retention.ms", "1000000") for name in self._topics]
        asked["AlterConfigs"] = self._admin.incremental_alter_configs(altered, validate_only=True)
        return {
            (TOPIC, getattr(resource, "name", resource), operation): _allowed(done)
            for operation, answers in asked.items()
            for resource, done in answers.items()
        }

    def _written(self) -> dict[Cell, bool]:
        done: dict[Cell, bool] = {}
        client = Client(self._client | {"message.timeout.ms": int(ANSWER_S * 1000)})

        def report(error: KafkaError | None, message: Message) -> None:
            done[TOPIC, str(message.topic()), "Write"] = error is None or not _is_denied(error)

        for name in self._topics:
            client.produce(name, b"{}", b"key", 0, on_delivery=report)
        assert client.flush(ANSWER_S) == 0
        return done

    def _read(self, describable: list[str]) -> dict[Cell, bool]:
        """Fetch a record of each topic that may be described: of others an assigned client reports nothing."""
        found = {(TOPIC, name, "Read"): False for name in self._topics}
        waiting = set(describable)
        client = Consumer(self._client | {"group.id": "matrix", "enable.auto.commit": False})
        client.assign([TopicPartition(name, 0, OFFSET_BEGINNING) for name in describable])
        deadline = time.monotonic() + ANSWER_S
        while waiting and time.monotonic() < deadline:
            message = client.poll(0.5)
            if message is not None and message.topic() in waiting:
                error = message.error()
                found[TOPIC, str(message.topic()), "Read"] = not _is_denied(error) if error else True
                waiting.discard(str(message.topic()))
        client.close()
        assert not waiting, f"neither a record nor a denial: {waiting}"
        return found

    def _grouped(self) -> dict[Cell, bool]:
        described = self._admin.describe_consumer_groups(self._groups, request_timeout=ANSWER_S)
        found = {(GROUP, name, "Describe"): _allowed(done) for name, done in described.items()}
        for name in self._groups:
            offsets = ConsumerGroupTopicPartitions(name, [TopicPartition(self._topics[0], 0, 0)])
            [done] = self._admin.alter_consumer_group_offsets([offsets], request_timeout=ANSWER_S).values()
            found[GROUP, name, "Read"] = _committed(done)
        return found

    def _clustered(self) -> dict[Cell, bool]:
        nobody = ("User:nobody-at-all", "*", AclOperation.DESCRIBE, AclPermissionType.ALLOW)
        row = AclBinding(ResourceType.TOPIC, "no-topic", ResourcePatternType.LITERAL, *nobody)
        login = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
        user = UserScramCredentialUpsertion("nobody-at-all", login, b"a-password")
        broker = ConfigResource(ConfigResource.Type.BROKER, "1")
        asked: dict[str, Mapping[Any, Future[Any]]] = {
            "Alter": self._admin.create_acls([row]),
            "Alter ": self._admin.alter_user_scram_credentials([user]),
            "DescribeConfigs": self._admin.describe_configs([broker]),
        }
        found = {
            (CLUSTER, THE_CLUSTER[1], operation): _allowed(done)
            for operation, answers in asked.items()
            for done in answers.values()
        }
        return found | {("transactional id", "matrix", "Write"): self._transacted()}

    def _transacted(self) -> bool:
        client = Client(self._client | {"transactional.id": "matrix"})
        try:
            client.init_transactions(ANSWER_S)
        except KafkaException as error:
            return not _is_denied(error.args[0])
        return True


def _resource(name: str, setting: str | None = None, value: str = "") -> ConfigResource:
    entries = [ConfigEntry(setting, value, incremental_operation=AlterConfigOpType.SET)] if setting else None
    return ConfigResource(ConfigResource.Type.TOPIC, name, incremental_configs=entries)


def _allowed(done: "Future[Any]") -> bool:
    try:
        done.result(ANSWER_S)
    except KafkaException as error:
        return not _is_denied(error.args[0])
    return True


def _committed(done: "Future[Any]") -> bool:
    try:
        result = done.result(ANSWER_S)
    except KafkaException as error:
        return bool(error.args[0].code() != KafkaError.GROUP_AUTHORIZATION_FAILED)
    errors = chain(place.error for place in result.topic_partitions if place.error)
    return all(error.code() != KafkaError.GROUP_AUTHORIZATION_FAILED for error in errors)


def _is_denied(error: KafkaError) -> bool:
    # A code of the client library has no answer of the broker behind it.
    assert error.code() >= 0, error.str()
    return error.code() in DENIED
