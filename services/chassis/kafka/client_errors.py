"""What a client says goes wrong, kept for whoever waits in vain for it, and told in words that say what to do."""

import re
import ssl

from confluent_kafka import KafkaError

from services.chassis.kafka.settings import KafkaSettings
from services.chassis.net import tls

DEFAULT_PORT = 9092
LOGIN = "check APP_KAFKA_USER, APP_KAFKA_PASSWORD and APP_KAFKA_SASL_MECHANISM"
TLS = "check APP_KAFKA_BOOTSTRAP_SERVERS and the APP_KAFKA_…_FILE settings, or the broker's certificate"
PROTOCOL = "is it a Kafka broker, and APP_KAFKA_SECURITY_PROTOCOL what it wants?"


class ClientErrors:
    """The last thing that a client said was wrong: its `error_cb`, which is told when all is well again."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._last: KafkaError | None = None

    def __call__(self, error: KafkaError) -> None:
        """Keep an error; whoever waits tells it."""
        if self._last is None or error.code() != KafkaError._ALL_BROKERS_DOWN:  # noqa: SLF001  # a constant
            self._last = error

    def forget(self) -> None:
        """The broker has answered."""
        self._last = None

    def words(self) -> str | None:
        """Return what is wrong, None when nothing was heard. Looks at the broker's certificate if that is the cause."""
        return None if self._last is None else self._refusal(self._last) or _said(self._last)

    def refused(self) -> str | None:
        """Return what is wrong where something is there, and only other settings or certificates will do."""
        return None if self._last is None else self._refusal(self._last)

    def _refusal(self, error: KafkaError) -> str | None:
        if error.code() == KafkaError._AUTHENTICATION:  # noqa: SLF001  # a constant
            return f"{_said(error)}: {LOGIN}"
        if self._settings.encrypts and "SSL" in error.str():
            return f"{self._of_certificates() or _said(error)}: {TLS}"
        if error.code() == KafkaError._ALL_BROKERS_DOWN:  # noqa: SLF001  # and no other reason was heard
            return f"it hangs up: {PROTOCOL}"
        return f"{_said(error)}: {PROTOCOL}" if "Invalid response size" in error.str() else None

    def _of_certificates(self) -> str | None:
        told = self._settings
        try:
            trusted = tls.context(told.kafka_ca_file, told.kafka_certificate_file, told.kafka_key_file)
        except (ssl.SSLError, OSError) as error:
            return str(error)
        found = (tls.refusal(host, port, trusted) for host, port in _addresses(told.kafka_bootstrap_servers))
        return next((words for words in found if words), None)


def _said(error: KafkaError) -> str:
    # How long it took is another number each time, and whoever logs only what is new would log it each time.
    return re.sub(r" \(after \d+ms in state \w+\)", "", error.str())


def _addresses(servers: str) -> list[tuple[str, int]]:
    found = []
    for server in servers.split(","):
        host, _, port = server.strip().rpartition("://")[2].rpartition(":")
        found.append((host.strip("[]"), int(port)) if host and port.isdecimal() else (server.strip(), DEFAULT_PORT))
    return found
