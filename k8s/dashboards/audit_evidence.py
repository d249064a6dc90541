"""The row of the Audit dashboard about evidence: verified, signed, cosigned, and what the witness has seen."""

from k8s.dashboards import style
from k8s.dashboards.board import Row
from k8s.dashboards.panel import Good, Query
from k8s.dashboards.panel_types import Series
from k8s.dashboards.promql import increases, most, of, per, rate

OURS = 'namespace=~"$namespace", job="audit"'
WITNESS = 'namespace=~"$namespace", job="witness"'
PASS_S, UNSIGNED_S = 86_400, 300  # as in the alerts

EVIDENCE = Row(
    "Is the log as it was recorded?",
    (
        Series(
            title="Was a change of the log found? (1 is yes)",
            queries=(Query(most("", of("audit_log_changed", where=OURS)), "changed"),),
            unit="short",
            width=8,
            most=1,
            normal="0.",
            act="1: an entry is not as it was recorded; the log of audit names the first one.",
            runbook="AuditLogChanged",
            good=Good.ZERO,
            steps=style.NONE_ALLOWED,
        ),
        Series(
            title="How much of the log is verified?",
            queries=(
                Query(most("", of("audit_log_size", where=OURS)), "entries"),
                Query(most("", of("audit_verified_size", where=OURS)), "verified since the start"),
                Query(per("", rate("audit_verified_entries_total", where=OURS)), "verified per second"),
            ),
            unit="short",
            width=8,
            normal="after the first pass of a process both sizes are the same; the rate is at most the setting, each.",
            act="verified stays below: more is appended than half of APP_AUDIT_VERIFY_RATE. No rate: see the runbook.",
            runbook="AuditVerificationStalled",
        ),
        Series(
            title="When was the whole log verified last?",
            queries=(Query(most("", of("audit_verification_pass_age_seconds", where=OURS)), "age of the last pass"),),
            unit="s",
            width=8,
            normal="a saw whose teeth are as high as a pass is long: entries divided by APP_AUDIT_VERIFY_RATE.",
            act="a slope without end: a change was found, or nothing is verified. Too high: raise the rate.",
            runbook="AuditVerificationStalled",
            good=Good.ZERO,
            steps=style.above(PASS_S),
        ),
        Series(
            title="Are all entries under a published checkpoint?",
            queries=(
                Query(most("", of("audit_log_size", where=OURS)), "entries"),
                Query(most("", of("audit_checkpoint_size", where=OURS)), "under a checkpoint"),
                Query(most("", of("audit_unsigned_size", where=OURS)), "under none"),
            ),
            unit="short",
            width=12,
            normal="two lines, one upon the other; under none are the entries of about the last second.",
            act="0 under a checkpoint: the service has no key. A level line: see the ages beside it.",
            runbook="AuditCheckpointOld",
        ),
        Series(
            title="How long do entries wait to be signed and cosigned?",
            queries=(
                Query(most("", of("audit_unsigned_age_seconds", where=OURS)), "oldest entry under no checkpoint"),
                Query(most("", of("audit_witness_age_seconds", where=OURS)), "checkpoint that waits for a witness"),
            ),
            unit="s",
            width=12,
            normal="about a second; 0 when nothing new is recorded. Without a key the first line rises for ever.",
            act="both rise: the witness. The first alone: the notary, whose reason is on /readyz, or the broker.",
            runbook="AuditWitnessOld",
            good=Good.ZERO,
            steps=style.above(UNSIGNED_S),
        ),
        Series(
            title="How much of the log has the witness cosigned?",
            queries=(
                Query(most("", of("audit_log_size", where=OURS)), "entries"),
                Query(most("origin", of("witness_log_size", where=WITNESS)), "cosigned of {{origin}}"),
            ),
            unit="short",
            width=12,
            normal="two lines, one upon the other, about a second apart.",
            act="a level line: the notary or the witness. Entries below: the log was cut, or it is a restored backup.",
            runbook="AuditWitnessOld",
        ),
        Series(
            title="Has the witness seen a fork of the log?",
            queries=(
                Query(
                    per("", increases("witness_inconsistent_checkpoints_total", where=WITNESS)),
                    "contradict an earlier one",
                ),
            ),
            unit="short",
            width=12,
            normal="0.",
            act="any: somebody with the log's key signed another tree than the one that was cosigned.",
            runbook="AuditLogForked",
            good=Good.ZERO,
            steps=style.NONE_ALLOWED,
        ),
    ),
)
