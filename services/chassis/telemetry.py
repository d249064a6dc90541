"""Where the loops of a service tell how they do."""

import msgspec

from services.chassis.clock import Clock
from services.chassis.health import Health
from services.chassis.metrics import Metrics


class Telemetry(msgspec.Struct, frozen=True):
    """What every loop is given."""

    metrics: Metrics
    health: Health
    clock: Clock
