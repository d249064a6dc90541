"""Cases of the alerts on the audit log's evidence."""

from tests.alerts.case import WHERE, Case, flat, rising

AUDIT, WITNESS = (f'job="{job}", {WHERE}' for job in ("audit", "witness"))


def _of(metric: str, *phases: tuple[float | str, int], instance: str = "1") -> dict[str, str]:
    return {f'{metric}{{{AUDIT}, instance="{instance}"}}': flat(*phases)}


def _verified(*phases: tuple[int, int], instance: str = "1") -> dict[str, str]:
    return {f'audit_verified_entries_total{{{AUDIT}, instance="{instance}"}}': rising(*phases)}


def _log(minutes: int, size: int = 500, age: int = 9) -> dict[str, str]:
    return _of("audit_log_size", (size, minutes)) | _of("audit_verification_pass_age_seconds", (age, minutes))


CASES = (
    Case(
        alert="AuditLogChanged",
        story="one of two processes finds a change, restarts, finds it again, and the entry is restored",
        series=_of("audit_log_changed", (0, 10), (1, 10), ("_", 5), (0, 10), (1, 5), (0, 90))
        | _of("audit_log_changed", (0, 130), instance="2"),
        firing={9: [], 11: [AUDIT], 30: [AUDIT], 95: [AUDIT], 101: []},
    ),
    Case(
        alert="AuditLogChanged",
        story="the log is whole",
        series=_of("audit_log_changed", (0, 120)),
        firing={0: [], 119: []},
    ),
    Case(
        alert="AuditVerificationStalled",
        story="nothing is verified, then it goes on",
        series=_verified((6000, 20), (0, 30), (6000, 30)) | _log(80),
        firing={19: [], 40: [AUDIT], 60: []},
    ),
    Case(
        alert="AuditVerificationStalled",
        story="entries are verified, but a pass over the whole log takes more than a day",
        series=_verified((6000, 40))
        | _of("audit_log_size", (500, 40))
        # Its pass ends in the end.
        | _of("audit_verification_pass_age_seconds", (80_000, 10), (90_000, 20), (9, 10)),
        firing={9: [], 20: [AUDIT], 31: []},
    ),
    Case(
        alert="AuditVerificationStalled",
        story="one of two processes verifies nothing, the other goes on",
        series=_verified((6000, 60)) | _verified((0, 60), instance="2") | _log(60),
        firing={59: []},
    ),
    Case(
        alert="AuditVerificationStalled",
        story="the log is empty",
        series=_verified((0, 60)) | _log(60, size=0),
        firing={59: []},
    ),
    Case(
        alert="AuditCheckpointOld",
        story="the notary publishes nothing, then it goes on",
        series=_of("audit_unsigned_age_seconds", (0.4, 10), (400, 10), (0.4, 10))
        | _of("audit_checkpoint_size", (7, 30)),
        firing={9: [], 13: [AUDIT], 21: []},
    ),
    Case(
        alert="AuditCheckpointOld",
        story="the log has no key",
        series=_of("audit_unsigned_age_seconds", (90_000, 30)) | _of("audit_checkpoint_size", (0, 30)),
        firing={29: []},
    ),
    Case(
        alert="AuditWitnessOld",
        story="the witness cannot be reached, then it cosigns",
        series=_of("audit_witness_age_seconds", (0, 10), (400, 10), (0, 10)),
        firing={9: [], 13: [AUDIT], 21: []},
    ),
    Case(
        alert="AuditWitnessOld",
        story="the witness is restarted",
        series=_of("audit_witness_age_seconds", (0, 10), (120, 3), (0, 10)),
        firing={12: [], 20: []},
    ),
    Case(
        alert="AuditLogForked",
        story="the witness is sent one checkpoint of a fork, and is restarted later",
        series={f"witness_inconsistent_checkpoints_total{{{WITNESS}}}": flat((0, 10), (1, 30), ("_", 2), (0, 60))},
        firing={9: [], 12: [WITNESS], 60: [WITNESS], 80: []},
    ),
    Case(
        alert="AuditLogForked",
        story="the witness cosigns everything",
        series={f"witness_inconsistent_checkpoints_total{{{WITNESS}}}": flat((0, 60))},
        firing={59: []},
    ),
)
