"""Metrics of the audit log."""

from services.chassis.telemetry.metrics.declared import Declared

AUDIT_SIZE = Declared(
    name="audit_log_size",
    kind="gauge",
    unit="entries",
    meaning="Entries in the audit log.",
    services=("audit",),
)
VERIFIED_SIZE = Declared(
    name="audit_verified_size",
    kind="gauge",
    unit="entries",
    meaning="Entries, from the first one on, that this process has verified since its start or since a change found.",
    services=("audit",),
)
VERIFIED = Declared(
    name="audit_verified_entries_total",
    kind="counter",
    unit="entries",
    meaning="Entries verified, each as often as it was.",
    services=("audit",),
)
PASS_AGE = Declared(
    name="audit_verification_pass_age_seconds",
    kind="gauge",
    unit="seconds",
    meaning="Time since a verification of the whole log ended well, or since the start if none has.",
    services=("audit",),
)
CHANGED = Declared(
    name="audit_log_changed",
    kind="gauge",
    unit="0 or 1",
    meaning="1 from the moment that a changed entry is found until the whole log is verified well again, else 0.",
    services=("audit",),
)
