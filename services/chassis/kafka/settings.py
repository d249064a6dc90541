"""Settings of the Kafka clients."""

from datetime import timedelta
from typing import Annotated

import msgspec

from services.chassis.kafka.security import KafkaSecurity
from services.chassis.settings.environment import Natural, Text, settings

DEFAULT_PORT = 9092


@settings
class KafkaSettings(KafkaSecurity):
    """Settings that every Kafka client needs. Durations have a unit: `500ms`, `10s`, `5m`, `1h`.

    `kafka_group_prefix` begins the id of every consumer group, for a Kafka that others use too.
    """

    kafka_bootstrap_servers: Text
    kafka_group_protocol: Annotated[str, msgspec.Meta(pattern="^(consumer|classic)\\Z")] = "consumer"
    kafka_group_prefix: Annotated[str, msgspec.Meta(pattern="^[A-Za-z0-9._-]{0,100}\\Z")] = ""
    kafka_message_timeout: timedelta = timedelta(seconds=10)
    kafka_request_timeout: timedelta = timedelta(seconds=10)
    kafka_poll_interval: timedelta = timedelta(minutes=5)
    kafka_replication_factor: Natural = 1
    kafka_min_insync_replicas: Natural = 1

    def addresses(self) -> list[tuple[str, int]]:
        """Return host and port of each bootstrap server."""
        found = []
        for server in self.kafka_bootstrap_servers.split(","):
            host, _, port = server.strip().rpartition("://")[2].rpartition(":")
            found.append((host.strip("[]"), int(port)) if host and port.isdecimal() else (server.strip(), DEFAULT_PORT))
        return found

    def group_id(self, name: str) -> str:
        """Return the id at the broker of the group with this name."""
        return self.kafka_group_prefix + name
