"""Authorized operations of a client on topics, groups and the cluster, as the broker reports them."""

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from services.chassis.kafka import config
from services.chassis.kafka.access.acls import CLUSTER
from services.chassis.kafka.admin import NEVER_S, BrokerUnavailableError, KafkaAdmin
from services.chassis.kafka.error_codes import DENIED
from services.chassis.kafka.rights.advice import operation_name
from services.chassis.kafka.settings import KafkaSettings

Resource = tuple[str, str]
Operations = Mapping[Resource, frozenset[str]]
THE_CLUSTER: Resource = (CLUSTER, "kafka-cluster")


def authorized(settings: KafkaSettings, topics: Sequence[str], groups: Sequence[str]) -> Operations:
    """Return the operations that the login of `settings` may do on each topic, each group and the cluster.

    Topics that do not exist are left out, if the login may know that.

    Raises BrokerUnavailableError, BrokerRefusedError where the login is refused.
    """
    timeout_s = settings.kafka_request_timeout.total_seconds()
    of_topics = KafkaAdmin(settings, "rights").operations(topics)
    admin = AdminClient(config.client(settings, "rights"))
    cluster = admin.describe_cluster(include_authorized_operations=True, request_timeout=timeout_s)
    # Without a time-out: an answer that comes after it would abort the process (librdkafka issue 4605).
    found = admin.describe_consumer_groups([*groups], include_authorized_operations=True, request_timeout=NEVER_S)
    answers: dict[Resource, Future[Any]] = {
        THE_CLUSTER: cluster,
        **{("group", name): one for name, one in found.items()},
    }
    return {("topic", name): allowed for name, allowed in of_topics.items()} | {
        resource: _operations(resource, answer, timeout_s) for resource, answer in answers.items()
    }


def _operations(resource: Resource, answer: "Future[Any]", timeout_s: float) -> frozenset[str]:
    try:
        return frozenset(map(operation_name, answer.result(timeout_s).authorized_operations or ()))
    except KafkaException as error:
        cause: KafkaError = error.args[0]
        if cause.code() in DENIED:
            return frozenset()
        raise BrokerUnavailableError(f"rights on {' '.join(resource)}: {cause.name()}: {cause.str()}") from error
    except TimeoutError as error:
        raise BrokerUnavailableError(f"rights on {' '.join(resource)}: no answer within {timeout_s:g} s") from error
