"""Polls the broker and reports it to the readiness probe.

Relay and consumer cannot do so: they only see that nothing arrives, which is no error of a client.
"""

from collections.abc import Callable
from typing import Protocol

import structlog

from services.chassis.kafka.rights.topic_rights import RightMissingError
from services.chassis.telemetry.periodic import Periodic
from services.chassis.telemetry.telemetry import Telemetry

TIMEOUT_S = 3.0  # also the longest delay of an orderly stop
RETRY_S = 1.0
INTERVAL_S = 5.0
CONDITION = "kafka"
RIGHTS = "rights"
RequireRights = Callable[[float], None]  # its time-out; raises RightMissingError, and ConnectionError if unreachable

log = structlog.get_logger()


class Broker(Protocol):
    """The polled broker; see `chassis.kafka.admin.KafkaAdmin`."""

    def reach(self, timeout_s: float) -> None:
        """Send any request. Raises ConnectionError with the reason."""


class BrokerHealthCheck(Periodic):
    """Polls every 5 s, and every second while the broker is unreachable.

    If the broker is `needed`, the service is not ready before its first answer, so that wrong settings stop a
    rollout. After that, and always if it is not needed, an outage is reported but does not end readiness.

    A right that is missing ends readiness in every service, at any time: an operator must act.
    """

    name = "broker-health-check"

    def __init__(
        self, broker: Broker, telemetry: Telemetry, *, needed: bool, require_rights: RequireRights = lambda _: None
    ) -> None:
        super().__init__(telemetry.health)
        self._broker = broker
        self._require_rights = require_rights
        self._needed = needed
        self._reported = ""
        if needed:
            self._health.lacks(CONDITION, "not reached yet")

    def check(self) -> float:
        """Poll once and report the result."""
        try:
            self._broker.reach(TIMEOUT_S)
            self._health.has(CONDITION)
            self._needed = False
            self._require_rights(TIMEOUT_S)
        except RightMissingError as error:
            self._health.lacks(RIGHTS, str(error))
            self._log("a right is missing, asking again", str(error))
        except ConnectionError as error:
            self._health.lacks(CONDITION, str(error), needed=self._needed)
            self._log("kafka is not reached, trying again", str(error))
        else:
            self._reported = ""
            self._health.has(RIGHTS)
            return INTERVAL_S
        return RETRY_S

    def _log(self, line: str, reason: str) -> None:
        if reason != self._reported:
            log.warning(line, error=reason)
        self._reported = reason
