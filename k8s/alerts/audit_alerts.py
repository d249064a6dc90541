"""Alerts on the audit log's evidence: changed, forked, not verified any more, not signed or not cosigned."""

from k8s.alerts.alert import Alert

ALERTS = (
    Alert(
        name="AuditLogChanged",
        # An hour of it: a restarted process knows of the change only when it reaches the entry again.
        when="max by (job, namespace) (max_over_time(audit_log_changed[1h])) == 1",
        lasting="0s",
        severity="page",
        summary="The audit log has been changed",
        description="Verification of {{ $labels.job }}'s store finds a changed entry; its log names the first one.",
    ),
    Alert(
        name="AuditVerificationStalled",
        when="""(
  sum by (job, namespace) (increase(audit_verified_entries_total[10m])) == 0
  and max by (job, namespace) (audit_log_size) > 0
)
or max by (job, namespace) (audit_verification_pass_age_seconds) > 1d""",
        lasting="5m",
        severity="ticket",
        summary="The audit log is not verified any more",
        description="{{ $labels.job }} has not verified its whole log for a day, or no entry of it for minutes.",
    ),
    Alert(
        name="AuditCheckpointOld",
        # A log without a key has no checkpoint at all: its service warns at each start.
        when="""max by (job, namespace) (audit_unsigned_age_seconds) > 5m
and max by (job, namespace) (audit_checkpoint_size) > 0""",
        lasting="2m",
        severity="page",
        summary="Audit entries have been without a published checkpoint for {{ $value | humanizeDuration }}",
        description="Until {{ $labels.job }} publishes one, nothing outside of its database holds these entries.",
    ),
    Alert(
        name="AuditWitnessOld",
        when="max by (job, namespace) (audit_witness_age_seconds) > 5m",
        lasting="2m",
        severity="page",
        summary="A checkpoint has waited {{ $value | humanizeDuration }} for cosignatures",
        description="Too few witnesses cosign {{ $labels.job }}'s checkpoint, which is not published without them.",
    ),
    Alert(
        name="AuditLogForked",
        # An hour of it: a log that was refused may not be sent a second time.
        when="sum by (job, namespace) (increase(witness_inconsistent_checkpoints_total[1h])) > 0",
        lasting="0s",
        severity="page",
        summary="The witness was sent a checkpoint that contradicts an earlier one",
        description="A log's key signed it; {{ $labels.job }} did not cosign it, and its log names the reason.",
    ),
)
