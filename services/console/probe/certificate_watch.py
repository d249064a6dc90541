"""Looks at the certificates of the bootstrap servers, so that an alert fires before clients refuse an expired one."""

from collections.abc import Mapping

from services.chassis.kafka.settings import KafkaSettings
from services.chassis.net import tls
from services.chassis.telemetry.periodic import Periodic
from services.chassis.telemetry.telemetry import Telemetry
from services.console.metrics import CERTIFICATE_EXPIRY

EVERY_S = 60.0


class CertificateWatch(Periodic):
    """Asks every bootstrap server for its certificate each minute, if the clients use TLS.

    A server that cannot be reached, or whose certificate is refused, has no series: the clients report it.
    """

    name = "certificate-watch"

    def __init__(self, settings: KafkaSettings, telemetry: Telemetry) -> None:
        super().__init__(telemetry.health)
        self._settings = settings
        self._seen: Mapping[str, float] = {}
        telemetry.metrics.on_scrape(CERTIFICATE_EXPIRY, lambda: self._seen)

    def check(self) -> float:
        """Look once."""
        if self._settings.encrypts:
            self._seen = self._look()
        return EVERY_S

    def _look(self) -> Mapping[str, float]:
        given = self._settings
        trusted = tls.context(given.kafka_ca_file, given.kafka_certificate_file, given.kafka_key_file)
        servers = (server.strip() for server in given.kafka_bootstrap_servers.split(","))
        found = {server: tls.expiry(*_address(server), trusted) for server in servers if server}
        return {server: expires for server, expires in found.items() if expires is not None}


def _address(server: str) -> tuple[str, int]:
    host, _, port = server.rpartition("://")[2].rpartition(":")
    return host.strip("[]"), int(port)
