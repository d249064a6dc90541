"""Authorized operations of a client on topics, groups and the cluster, as the broker reports them."""

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient

from services.chassis.kafka import config
from services.chassis.kafka.access.acls import CLUSTER, operation_name
from services.chassis.kafka.admin import NEVER_S, BrokerUnavailableError, KafkaAdmin
from services.chassis.kafka.error_codes import DENIED
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
    KafkaAdmin(settings, "rights").reach(timeout_s)
    admin = AdminClient(config.client(settings, "rights"))
    asked = {"include_authorized_operations": True, "request_timeout": timeout_s}
    answers: dict[Resource, Future[Any]] = {THE_CLUSTER: admin.describe_cluster(**asked)}
    answers |= {
        ("topic", name): one for name, one in admin.describe_topics(TopicCollection([*topics]), **asked).items()
    }
    # Without a time-out: an answer that comes after it would abort the process (librdkafka issue 4605).
    found = admin.describe_consumer_groups([*groups], include_authorized_operations=True, request_timeout=NEVER_S)
    answers |= {("group", name): one for name, one in found.items()}
    operations = {resource: _operations(resource, answer, timeout_s) for resource, answer in answers.items()}
    return {resource: found for resource, found in operations.items() if found is not None}


def _operations(resource: Resource, answer: "Future[Any]", timeout_s: float) -> frozenset[str] | None:
    try:
        return frozenset(map(operation_name, answer.result(timeout_s).authorized_operations or ()))
    except KafkaException as error:
        cause: KafkaError = error.args[0]
        if cause.code() in DENIED:
            return frozenset()
        if cause.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            return None
        raise BrokerUnavailableError(f"rights on {' '.join(resource)}: {cause.name()}: {cause.str()}") from error
    except TimeoutError as error:
        raise BrokerUnavailableError(f"rights on {' '.join(resource)}: no answer within {timeout_s:g} s") from error
