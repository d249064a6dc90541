"""Metrics of the audit log."""

from services.chassis.telemetry.metrics.declared import Declared

AUDIT_SIZE = Declared(
    name="audit_log_size",
    kind="gauge",
    unit="entries",
    meaning="Entries in the audit log.",
    services=("audit",),
)
