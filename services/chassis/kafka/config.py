"""Configuration of librdkafka clients, built from settings."""

from collections.abc import Callable
from typing import Any

import structlog
from confluent_kafka import KafkaError

from services.chassis.kafka.settings import KafkaSettings
from services.contracts.envelope import DEAD_LETTER_HEADERS, LARGEST_RECORD

# librdkafka compares it with the uncompressed record and its framing; a topic's limit is on the compressed batch.
LARGEST_MESSAGE = LARGEST_RECORD + 2 * DEAD_LETTER_HEADERS
# Bounds on the fetched backlog in memory. A broker may compress 6:1, and sends at least one batch however small the
# bounds are. With fetches of 1 MB a partition and 16 MB queued, 200,000 records took 200 MB more.
QUEUED_KBYTES = 2 * 1024
FETCHED_BYTES = 1024 * 1024
FETCHED_BYTES_OF_PARTITION = 64 * 1024

Config = dict[str, Any]
log = structlog.get_logger()


def client(settings: KafkaSettings, name: str, on_error: Callable[[KafkaError], None] | None = None) -> Config:
    """Return the configuration that every client shares."""
    return {
        "bootstrap.servers": settings.kafka_bootstrap_servers,
        "client.id": name,
        "error_cb": on_error or log_error,
        "log_level": 2,  # errors reach error_cb; librdkafka would print them to stderr too
        "reconnect.backoff.max.ms": 1000,  # the default of 10 s would prolong every outage
        "allow.auto.create.topics": False,
        **_security(settings),
    }


def producer(settings: KafkaSettings, name: str) -> Config:
    """Return the configuration of an idempotent producer that agrees with Java clients on partitions."""
    return client(settings, name) | {
        "enable.idempotence": True,
        "acks": "all",
        "partitioner": "murmur2_random",
        "message.timeout.ms": int(settings.kafka_message_timeout.total_seconds() * 1000),
        "message.max.bytes": LARGEST_MESSAGE,
        "linger.ms": 5,
        "compression.type": "lz4",
    }


def consumer(settings: KafkaSettings, group: str) -> Config:
    """Return the configuration of a consumer whose offsets are stored in SQL, not in Kafka."""
    # Under `classic` incremental assignment needs a cooperative assignor; under `consumer` naming one is refused.
    classic = {"partition.assignment.strategy": "cooperative-sticky"}
    return client(settings, group) | {
        "group.id": settings.group_id(group),
        "group.protocol": settings.kafka_group_protocol,
        **(classic if settings.kafka_group_protocol == "classic" else {}),
        "enable.auto.commit": False,
        "auto.offset.reset": "error",
        "enable.partition.eof": True,  # an end may lie behind the last record: transactions leave offsets without one
        "fetch.wait.max.ms": 100,
        "fetch.queue.backoff.ms": 20,  # with the default of 1 s a small queue runs empty
        "max.poll.interval.ms": int(settings.kafka_poll_interval.total_seconds() * 1000),
        "queued.max.messages.kbytes": QUEUED_KBYTES,
        "fetch.max.bytes": FETCHED_BYTES,
        "fetch.message.max.bytes": FETCHED_BYTES_OF_PARTITION,
    }


def _security(settings: KafkaSettings) -> Config:
    given = {
        "ssl.ca.location": settings.kafka_ca_file,
        "ssl.certificate.location": settings.kafka_certificate_file,
        "ssl.key.location": settings.kafka_key_file,
        "sasl.mechanism": settings.kafka_sasl_mechanism,
        **(_oauth(settings) if settings.uses_tokens else _login(settings)),
    }
    # These are librdkafka's defaults; set here so that the guarantee does not depend on them.
    checked = {"enable.ssl.certificate.verification": True, "ssl.endpoint.identification.algorithm": "https"}
    return {
        "security.protocol": settings.kafka_security_protocol,
        **(checked if settings.encrypts else {}),
        **{name: value for name, value in given.items() if value},
    }


def _login(settings: KafkaSettings) -> Config:
    return {"sasl.username": settings.kafka_user, "sasl.password": settings.kafka_password}


def _oauth(settings: KafkaSettings) -> Config:
    return {
        "sasl.oauthbearer.method": "oidc",
        "sasl.oauthbearer.token.endpoint.url": settings.kafka_oauth_token_url,
        "sasl.oauthbearer.client.id": settings.kafka_user,
        "sasl.oauthbearer.client.secret": settings.kafka_password,
        "sasl.oauthbearer.scope": settings.kafka_oauth_scope,
        "sasl.oauthbearer.extensions": settings.kafka_oauth_extensions,
        "https.ca.location": settings.kafka_oauth_ca_file or "probe",  # the system's authorities
    }


def log_error(error: KafkaError) -> None:
    """Log an error of a client."""
    log.warning("kafka client", error=error.name(), reason=error.str())
