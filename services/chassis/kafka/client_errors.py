"""Keeps a Kafka client's last error and explains it: which setting, certificate or address to check."""

import re

from confluent_kafka import KafkaError

from services.chassis.kafka.error_events import ErrorEvents
from services.chassis.kafka.settings import KafkaSettings
from services.chassis.net import tls

LOGIN = "check APP_KAFKA_USER, APP_KAFKA_PASSWORD and APP_KAFKA_SASL_MECHANISM"
TLS = "check APP_KAFKA_BOOTSTRAP_SERVERS and the APP_KAFKA_…_FILE settings, or the broker's certificate"
ISSUER = "check APP_KAFKA_USER, APP_KAFKA_PASSWORD and the APP_KAFKA_OAUTH_… settings"
PROTOCOL = "is it a Kafka broker, and APP_KAFKA_SECURITY_PROTOCOL what it wants?"


class ClientErrors:
    """The last error of one client. The object is the client's `error_cb`; `events` gets each error too."""

    def __init__(self, settings: KafkaSettings, events: ErrorEvents | None = None) -> None:
        self._settings = settings
        self._events = events
        self._last: KafkaError | None = None

    def __call__(self, error: KafkaError) -> None:
        """Keep an error. "All brokers down" replaces no error that names a reason."""
        if self._events:
            self._events(error)
        if self._last is None or error.code() != KafkaError._ALL_BROKERS_DOWN:  # noqa: SLF001  # a constant
            self._last = error

    def clear(self) -> None:
        """Forget the error after the broker has answered."""
        self._last = None

    def describe(self) -> str | None:
        """Return the last error, None if there is none. After a TLS error this connects to check the certificate."""
        return None if self._last is None else self._refusal(self._last) or _text(self._last)

    def refusal(self) -> str | None:
        """Return the last error if only other settings or certificates can solve it."""
        return None if self._last is None else self._refusal(self._last)

    def _refusal(self, error: KafkaError) -> str | None:
        if error.code() == KafkaError._AUTHENTICATION:  # noqa: SLF001  # a constant
            return f"{_text(error)}: {ISSUER if self._settings.uses_tokens else LOGIN}"
        if self._settings.encrypts and "SSL" in error.str():
            return f"{self._certificate_problem() or _text(error)}: {TLS}"
        if error.code() == KafkaError._ALL_BROKERS_DOWN:  # noqa: SLF001  # and no other reason was reported
            return f"it hangs up: {PROTOCOL}"
        return f"{_text(error)}: {PROTOCOL}" if "Invalid response size" in error.str() else None

    def _certificate_problem(self) -> str | None:
        try:
            trusted = self._settings.trusted()
        except OSError as error:
            return str(error)
        problems = (tls.refusal(host, port, trusted) for host, port in self._settings.addresses())
        return next((problem for problem in problems if problem), None)


def _text(error: KafkaError) -> str:
    # The duration differs each time, and a caller that logs only new texts would log each of them.
    return re.sub(r" \(after \d+ms in state \w+\)", "", error.str())
