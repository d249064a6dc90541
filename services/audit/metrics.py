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
CHECKPOINT_SIZE = Declared(
    name="audit_checkpoint_size",
    kind="gauge",
    unit="entries",
    meaning="Entries that the newest published checkpoint covers; 0 before the first.",
    services=("audit",),
)
UNSIGNED_SIZE = Declared(
    name="audit_unsigned_size",
    kind="gauge",
    unit="entries",
    meaning="Entries that no published checkpoint covers: all of them without a key.",
    services=("audit",),
)
UNSIGNED_AGE = Declared(
    name="audit_unsigned_age_seconds",
    kind="gauge",
    unit="seconds",
    meaning="Age of the oldest entry that no published checkpoint covers; 0 if each is covered.",
    services=("audit",),
)
WITNESS_AGE = Declared(
    name="audit_witness_age_seconds",
    kind="gauge",
    unit="seconds",
    meaning="Time for which the newest checkpoint has waited for cosignatures: 0 with them, or without a policy.",
    services=("audit",),
)
CHECKPOINTS = (CHECKPOINT_SIZE, UNSIGNED_SIZE, UNSIGNED_AGE, WITNESS_AGE)
