"""Error events of one client: counts every event, and logs each code once until the client works again."""

import structlog
from confluent_kafka import KafkaError

from services.chassis.kafka.client_metrics import ClientMetrics

log = structlog.get_logger()


class ErrorEvents:
    """Counts and logs the errors of one client. The object is the client's `error_cb`."""

    def __init__(self, client: str, metrics: ClientMetrics | None = None) -> None:
        self._client = client
        self._metrics = metrics
        self._logged: set[int] = set()

    def __call__(self, error: KafkaError) -> None:
        """Count an error, and log it if its code is new."""
        if self._metrics:
            self._metrics.error(error.name())
        if error.code() not in self._logged:
            self._logged.add(error.code())
            log.warning("kafka client", client=self._client, error=error.name(), reason=error.str())

    def clear(self) -> None:
        """Log each code again, after the client has worked."""
        self._logged.clear()
