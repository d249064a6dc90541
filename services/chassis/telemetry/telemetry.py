"""Telemetry of a service: the clock, logs, metrics, traces and health that every loop gets."""

import msgspec

from services.chassis.messages.clock import Clock, utc_now
from services.chassis.telemetry.health import Health
from services.chassis.telemetry.metrics import Metrics
from services.chassis.telemetry.tracing import OFF, Tracing

VERSION = "0.1.0"


class Telemetry(msgspec.Struct, frozen=True):
    """Dependencies of every loop."""

    metrics: Metrics
    health: Health
    clock: Clock
    tracing: Tracing


def telemetry(service: str, tracing: Tracing = OFF) -> Telemetry:
    """Return fresh metrics and health for a process, and the real clock."""
    return Telemetry(Metrics(service, VERSION), Health(), utc_now, tracing)
