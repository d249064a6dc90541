"""Polls the broker and reports it to the readiness probe.

Relay and consumer cannot do so: they only see that nothing arrives, which is no error of a client.
"""

from typing import Protocol

import structlog

from services.chassis.telemetry.periodic import Periodic
from services.chassis.telemetry.telemetry import Telemetry

TIMEOUT_S = 3.0  # also the longest delay of an orderly stop
RETRY_S = 1.0
INTERVAL_S = 5.0
CONDITION = "kafka"

log = structlog.get_logger()


class Broker(Protocol):
    """The polled broker; see `chassis.kafka.admin.KafkaAdmin`."""

    def reach(self, timeout_s: float) -> None:
        """Send any request. Raises ConnectionError with the reason."""


class BrokerHealthCheck(Periodic):
    """Polls every 5 s, and every second while the broker is unreachable.

    If the broker is `needed`, the service is not ready before its first answer, so that wrong settings stop a
    rollout. After that, and always if it is not needed, an outage is reported but does not end readiness.
    """

    name = "broker-health-check"

    def __init__(self, broker: Broker, telemetry: Telemetry, *, needed: bool) -> None:
        super().__init__(telemetry.health)
        self._broker = broker
        self._needed = needed
        self._reported = ""
        if needed:
            self._health.lacks(CONDITION, "not reached yet")

    def check(self) -> float:
        """Poll once and report the result."""
        try:
            self._broker.reach(TIMEOUT_S)
        except ConnectionError as error:
            self._report(str(error))
            return RETRY_S
        self._needed, self._reported = False, ""
        self._health.has(CONDITION)
        return INTERVAL_S

    def _report(self, reason: str) -> None:
        self._health.lacks(CONDITION, reason, needed=self._needed)
        if reason != self._reported:
            log.warning("kafka is not reached, trying again", error=reason)
        self._reported = reason
