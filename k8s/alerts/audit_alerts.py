"""Alerts on the audit log's evidence: changed, or not verified any more."""

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
)
