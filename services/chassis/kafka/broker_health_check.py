"""Polls the broker and reports it to the readiness probe.

Relay and consumer cannot do so: they only see that nothing arrives, which is no error of a client.
"""

import threading
from typing import Protocol

import structlog

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


class BrokerHealthCheck:
    """Polls every 5 s, and every second while the broker is unreachable.

    If the broker is `needed`, the service is not ready before its first answer, so that wrong settings stop a
    rollout. After that, and always if it is not needed, an outage is reported but does not end readiness.
    """

    name = "broker-health-check"

    def __init__(self, broker: Broker, telemetry: Telemetry, *, needed: bool) -> None:
        self._broker = broker
        self._health = telemetry.health
        self._needed = needed
        self._reported = ""
        if needed:
            self._health.lacks(CONDITION, "not reached yet")

    def run(self, stop: threading.Event) -> None:
        """Poll until `stop` is set."""
        while not stop.is_set():
            self._health.beat(self.name)
            stop.wait(INTERVAL_S if self._check() else RETRY_S)

    def _check(self) -> bool:
        try:
            self._broker.reach(TIMEOUT_S)
        except ConnectionError as error:
            self._report(str(error))
            return False
        self._needed, self._reported = False, ""
        self._health.has(CONDITION)
        return True

    def _report(self, reason: str) -> None:
        self._health.lacks(CONDITION, reason, needed=self._needed)
        if reason != self._reported:
            log.warning("kafka is not reached, trying again", error=reason)
        self._reported = reason
