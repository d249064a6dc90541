"""Whether the broker can be reached, asked from time to time and told to health, in words.

Neither relay nor consumer can say so: they wait, and all that a client tells them is that nothing comes.
"""

import threading
from typing import Protocol

import structlog

from services.chassis.telemetry.telemetry import Telemetry

PATIENCE_S = 3.0  # also what an orderly stop may wait for
AGAIN_S = 1.0
EVERY_S = 5.0
WHAT = "kafka"

log = structlog.get_logger()


class Broker(Protocol):
    """What is asked; see `chassis.kafka.admin.KafkaAdmin`."""

    def reach(self, timeout_s: float) -> None:
        """Ask anything at all. Raises ConnectionError, which says what is wrong."""


class BrokerHealthCheck:
    """Asks until told to stop.

    Where the broker is needed the service is not ready before the first answer, so that wrong settings stop a
    rollout. Once there was an answer, and always where it is not needed, an absence is told and closes nothing.
    """

    name = "contact"

    def __init__(self, broker: Broker, telemetry: Telemetry, *, needed: bool) -> None:
        self._broker = broker
        self._health = telemetry.health
        self._needed = needed
        self._told = ""
        if needed:
            self._health.lacks(WHAT, "not reached yet")

    def run(self, stop: threading.Event) -> None:
        """Ask soon again after a failure, else now and then."""
        while not stop.is_set():
            self._health.beat(self.name)
            stop.wait(EVERY_S if self._is_reached() else AGAIN_S)

    def _is_reached(self) -> bool:
        try:
            self._broker.reach(PATIENCE_S)
        except ConnectionError as error:
            self._tell(str(error))
            return False
        self._needed, self._told = False, ""
        self._health.has(WHAT)
        return True

    def _tell(self, reason: str) -> None:
        self._health.lacks(WHAT, reason, needed=self._needed)
        if reason != self._told:
            log.warning("kafka is not reached, trying again", error=reason)
        self._told = reason
