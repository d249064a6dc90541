"""Audit: whether the log is unchanged, how it grows, how its batches go, how far it is behind the end of the topics."""

from k8s.alerts.slos import EFFECT_S
from k8s.dashboards import style
from k8s.dashboards.audit_evidence import EVIDENCE, OURS
from k8s.dashboards.board import NAMESPACE, TOPIC, Board, Row
from k8s.dashboards.panel import Good, Query, percentiles
from k8s.dashboards.panel_types import Bars, Series, Stat
from k8s.dashboards.promql import ALL_TIME, PROBE, most, of, per, rate
from k8s.dashboards.promql import TOPIC as CHOSEN

GROUP = 'namespace=~"$namespace", messaging_consumer_group_name="audit"'
NAME = "messaging_destination_name"
BY_TOPIC = f"{{{{{NAME}}}}}"
BATCH, EFFECT = "messaging_process_duration_seconds", "event_end_to_end_latency_seconds"
BEHIND_S = 120  # as in the alert


def batches(suffix: str) -> str:
    """Return the rate of a part of the histogram of append batches."""
    return rate(f"{BATCH}_{suffix}", where=OURS)


def slowest(share: float) -> str:
    """Return how long a share of the append batches takes at most."""
    return f"histogram_quantile({share:g}, {per('le', batches('bucket'))})"


def age(window: str, labels: str) -> str:
    """Return how old 95 % of the records are at most when they have their entry."""
    return f"histogram_quantile(0.95, {per(labels, rate(f'{EFFECT}_bucket', window=window, where=OURS))})"


KEPT = per(NAME, rate("messaging_client_consumed_messages_total", CHOSEN, where=OURS))
SIZE = (
    f"{per('', rate('consumer_batch_size_sum', where=OURS))} / {per('', rate('consumer_batch_size_count', where=OURS))}"
)

NOW = Row(
    "",
    (
        Stat(
            title="Entries",
            queries=(Query(most("", of("audit_log_size", where=OURS))),),
            unit="locale",
            normal="it only ever grows: one entry for each record of each topic.",
            act="it must not fall. If it does, somebody changed the database: run python -m services.audit verify.",
        ),
        Stat(
            title="Entries appended",
            queries=(Query(per("", KEPT)),),
            unit="recps",
            normal="what is written to all topics together.",
            act="zero while topics grow: see whether audit runs, and its lag.",
        ),
        Stat(
            title="Behind the end",
            queries=(Query(most("", of("consumer_lag_seconds", CHOSEN, where=GROUP))),),
            unit="s",
            normal="some seconds at most, in the steps in which the probe looks.",
            act="audit is slow or gone. Nothing is lost until a topic's retention is over.",
            runbook="AuditBehind",
            good=Good.ZERO,
            steps=style.rising(10, BEHIND_S),
        ),
        Stat(
            title="Records to append",
            queries=(Query(per("", of("consumer_lag_records", CHOSEN, where=GROUP))),),
            unit="short",
            normal="below a second's worth.",
            act="it climbs: batches below show whether the database is the limit.",
            runbook="AuditBehind",
            good=Good.ZERO,
            steps=style.rising(5_000, 100_000),
        ),
        Stat(
            title="Batch time, p95",
            queries=(Query(slowest(0.95)),),
            unit="s",
            normal="some milliseconds to some tens.",
            act="the database or its disk is slow.",
            steps=style.rising(0.25, 1),
        ),
        Stat(
            title="Database size",
            queries=(Query(most("", of("database_size_bytes", where=OURS))),),
            unit="bytes",
            normal="about 1 KiB for each entry: it keeps key, value and headers as they were.",
            act="plan its volume by this slope; nothing is ever deleted.",
            runbook="DatabaseLarge",
        ),
    ),
)

GROWTH = Row(
    "How the log grows",
    (
        Series(
            title="From which topics do entries come?",
            queries=(Query(KEPT, BY_TOPIC),),
            unit="recps",
            stacked=True,
            normal="the three topics of the user service in equal parts, and what was mailed.",
            act="a topic is missing though it grows on Kafka: compare with its lag below.",
        ),
        Series(
            title="Does audit keep up with what is written?",
            queries=(
                Query(per("", rate("topic_end_offset", CHOSEN, where=PROBE)), "written to the topics"),
                Query(per("", KEPT), "appended to the log"),
            ),
            unit="recps",
            normal="two lines, one upon the other; the probe looks every few seconds, so one trails a little.",
            act="the lower line stays below: audit falls behind by the difference.",
            runbook="AuditBehind",
        ),
        Series(
            title="How many entries are there?",
            queries=(Query(most("", of("audit_log_size", where=OURS)), "entries"),),
            unit="short",
            normal="a line that rises with the load and is level without.",
            act="level under load: nothing is appended. A fall: see the first number of this page.",
        ),
        Bars(
            title="How much of the log is each topic?",
            queries=(
                Query(
                    per(
                        NAME,
                        f"increase({of('messaging_client_consumed_messages_total', CHOSEN, where=OURS)}[$__range])",
                    ),
                    BY_TOPIC,
                ),
            ),
            unit="locale",
            normal="entries in the time that this page shows: facts, states and notices alike.",
            act="many dead letters: see Kafka, what could not be applied.",
        ),
    ),
)

BATCHES = Row(
    "Append batches",
    (
        Series(
            title="How long does a batch take?",
            queries=percentiles(slowest, 0.5, 0.95, 0.99),
            unit="s",
            width=8,
            normal="one transaction with one disk flush: some milliseconds to some tens.",
            act="all rise together: the disk. p99 alone: checkpoints, or a vacuum.",
        ),
        Series(
            title="How many batches, and how large?",
            queries=(Query(per("", batches("count")), "batches per second"), Query(SIZE, "records in a batch")),
            unit="short",
            width=8,
            normal="more load makes batches larger rather than more.",
            act="one record in each at full load: batching was removed.",
        ),
        Series(
            title="How long do its transactions take? (p95)",
            queries=(
                Query(
                    "histogram_quantile(0.95, "
                    + per("le, db_operation_name", rate("db_client_operation_duration_seconds_bucket", where=OURS))
                    + ")",
                    "{{db_operation_name}}",
                ),
            ),
            unit="s",
            width=8,
            normal="the same as its batches; reads are questions to its API, and its own verification.",
            act="reads alone: a search without an index, or `verify` runs.",
        ),
    ),
)

BEHIND = Row(
    "How far it is behind",
    (
        Series(
            title="How old is the oldest record without an entry?",
            queries=(Query(most(NAME, of("consumer_lag_seconds", CHOSEN, where=GROUP)), BY_TOPIC),),
            unit="s",
            normal="some seconds at most. The line is where the alert is.",
            act="one topic alone: its partitions are with a process that is stuck.",
            runbook="AuditBehind",
            good=Good.ZERO,
            steps=style.above(BEHIND_S),
        ),
        Bars(
            title="How old is a record when it has its entry? (p95)",
            queries=(Query(age(ALL_TIME, "le, type"), "{{type}}"),),
            unit="s",
            normal="well below a second, all types alike.",
            act="a type alone that is slow: it was published late, see Flow.",
            runbook="EventToEffectBudgetBurn",
            steps=style.rising(EFFECT_S / 5, EFFECT_S),
        ),
    ),
)

BOARD = Board(
    uid="eventline-audit",
    title="Eventline / Audit",
    question="Does the audit log have everything, how soon, and is it as it was recorded?",
    rows=(NOW, EVIDENCE, GROWTH, BATCHES, BEHIND),
    variables=(NAMESPACE, TOPIC),
)
