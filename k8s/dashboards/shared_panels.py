"""Panels of parked keys and dead letters, shared by two dashboards."""

from k8s.dashboards import style
from k8s.dashboards.panel import Good, Query
from k8s.dashboards.panel_types import Stat
from k8s.dashboards.promql import new_dead_letters, of, per

DEAD_LETTERS = Stat(
    title="Dead letters",
    queries=(Query(new_dead_letters()),),
    unit="short",
    normal="zero in the time that this page shows.",
    act="read them, they carry origin and reason: python -m services.console events --topic user.dlq.v1.",
    runbook="DeadLettersWritten",
    good=Good.ZERO,
    steps=style.above(1),
)
PARKED_KEYS = Stat(
    title="Parked keys",
    queries=(Query(per("", of("parked_keys"))),),
    unit="short",
    normal="zero.",
    act="python -m services.console parked list shows what waits and why; others go on meanwhile.",
    runbook="KeysParked",
    good=Good.ZERO,
    steps=style.above(1),
)
