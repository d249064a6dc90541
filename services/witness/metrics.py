"""Metrics of the witness."""

from services.chassis.telemetry.metrics.declared import Declared

LOG_SIZE = Declared(
    name="witness_log_size",
    kind="gauge",
    unit="entries",
    meaning="Size of the newest checkpoint of a log that the witness has cosigned, 0 before the first.",
    services=("witness",),
    labels=("origin",),
)
INCONSISTENT = Declared(
    name="witness_inconsistent_checkpoints_total",
    kind="counter",
    unit="checkpoints",
    meaning="Signed checkpoints that are not proved to extend the cosigned one: a fork, or a wrong proof.",
    services=("witness",),
)
