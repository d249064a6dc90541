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
        try:
            trusted = self._settings.trusted()
        except OSError:  # a file that cannot be read: the clients report it
            return {}
        found = {f"{host}:{port}": tls.expiry(host, port, trusted) for host, port in self._settings.addresses()}
        return {server: expires for server, expires in found.items() if expires is not None}
