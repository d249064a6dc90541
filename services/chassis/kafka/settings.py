"""Settings of the Kafka clients."""

import re
from datetime import timedelta
from typing import Annotated

import msgspec

from services.chassis.kafka.security import KafkaSecurity
from services.chassis.settings.environment import Natural, Text, settings

DEFAULT_PORT, LAST_PORT = 9092, 65535
ADDRESS = re.compile(r"([A-Za-z_]+://)?(\[[0-9A-Fa-f:.]+\]|[^\s:/@\[\]]+)(:[0-9]{1,5})?")
NamePrefix = Annotated[
    str,
    msgspec.Meta(pattern="^[A-Za-z0-9._-]{0,100}\\Z", description="at most 100 characters long, of A-Z a-z 0-9 . _ -"),
]


@settings
class KafkaSettings(KafkaSecurity):
    """Settings that every Kafka client needs. Durations have a unit: `500ms`, `10s`, `5m`, `1h`.

    `kafka_group_prefix` begins the id of every consumer group, for a Kafka that others use too.
    """

    kafka_bootstrap_servers: Text
    kafka_group_protocol: Annotated[str, msgspec.Meta(pattern="^(consumer|classic)\\Z")] = "consumer"
    kafka_group_prefix: NamePrefix = ""
    kafka_message_timeout: timedelta = timedelta(seconds=10)
    kafka_request_timeout: timedelta = timedelta(seconds=10)
    kafka_poll_interval: timedelta = timedelta(minutes=5)
    kafka_replication_factor: Natural = 1
    kafka_min_insync_replicas: Natural = 1

    def problems(self) -> list[str]:
        """Return contradictions between settings, a line each."""
        servers = self.kafka_bootstrap_servers.split(",") if self.kafka_bootstrap_servers else []
        wrong = [server for server in servers if not _is_address(server.strip())]
        advice = "write HOST:PORT, several separated by commas"
        return super().problems() + [f"APP_KAFKA_BOOTSTRAP_SERVERS has {one!r}: {advice}" for one in wrong]

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


def _is_address(text: str) -> bool:
    match = ADDRESS.fullmatch(text)
    return match is not None and 0 < int((match[3] or f":{DEFAULT_PORT}")[1:]) <= LAST_PORT
