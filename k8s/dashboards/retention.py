"""Rows of the page Reliability on what is kept: records that are held for a person, and rows that are forgotten."""

from k8s.dashboards import style
from k8s.dashboards.board import Row
from k8s.dashboards.panel import Good, Query
from k8s.dashboards.panel_types import Series
from k8s.dashboards.promql import most, of, per, quantile, rate

HELD_STATES = ("dead", "parked")
PAUSED_S, OVERDUE_S = 15 * 60, 3600  # as in the alerts
HOLD_S = 0.05  # the promise
BY_TABLE, TABLE_NAME = "job, table", "{{job}} {{table}}"

HELD = Row(
    "What waits for a person",
    (
        Series(
            title="Which records are held, and why?",
            queries=tuple(
                Query(  # above 0: each reason has a series, whether a record is held for it or not
                    f"""{most("job, reason", of("held_records", f'state="{state}"'))} > 0""",
                    f"{{{{job}}}} {state}: {{{{reason}}}}",
                )
                for state in HELD_STATES
            ),
            unit="short",
            width=8,
            most=1,
            normal="nothing here.",
            act="dead: correct the decoder and retry, or discard. Parked: deploy newer code, or correct the handler.",
            runbook="DeadRecordsHeld",
            good=Good.EMPTY,
            steps=style.NONE_ALLOWED,
        ),
        Series(
            title="For how long has the oldest of them waited?",
            queries=(
                *(
                    Query(
                        most("job", of("held_records_oldest_age_seconds", f'state="{state}"')), f"{{{{job}}}} {state}"
                    )
                    for state in HELD_STATES
                ),
                Query(most("job", of("dead_letters_unpublished_age_seconds")), "{{job}} letter to publish"),
            ),
            unit="s",
            width=8,
            normal="zero; a letter is published within seconds.",
            act="dead and parked: console held list. A letter that waits: its topic or the relay, see Kafka.",
            runbook="DeadLettersUnpublished",
            good=Good.ZERO,
        ),
        Series(
            title="For how long is a relay paused?",
            queries=(Query(most("job", of("relay_paused_seconds")), "{{job}}"),),
            unit="s",
            width=8,
            most=PAUSED_S,
            normal="zero. The line is where the alert is.",
            act="console relay status shows who paused it and why; console relay resume ends it.",
            runbook="RelayPaused",
            good=Good.ZERO,
            steps=style.above(PAUSED_S),
        ),
    ),
)

FORGETTING = Row(
    "What is forgotten: do tables stop growing?",
    (
        Series(
            title="How many rows has each table?",
            queries=(Query(most(BY_TABLE, of("table_rows")), TABLE_NAME),),
            unit="short",
            width=8,
            normal="level once rows are as old as they may get: days for replies, weeks for the others.",
            act="more commands make more rows; otherwise see whether rows are overdue.",
            runbook="RowsNotDeleted",
            good=Good.ZERO,
        ),
        Series(
            title="How old is the oldest row of each table?",
            queries=(Query(most(BY_TABLE, of("table_oldest_age_seconds")), TABLE_NAME),),
            unit="s",
            width=8,
            normal="rises to the table's setting, and stays there.",
            act="above it, old rows are not deleted: see which are overdue.",
            runbook="RowsNotDeleted",
            good=Good.ZERO,
        ),
        Series(
            title="How overdue are old rows?",
            queries=(Query(most(BY_TABLE, of("table_overdue_seconds")), TABLE_NAME),),
            unit="s",
            width=8,
            most=OVERDUE_S,
            normal="0; some minutes between two looks. After an upgrade it falls from far above, chunk by chunk.",
            act="rising: the deletion fails or has stopped; the service's log has the reason.",
            runbook="RowsNotDeleted",
            good=Good.ZERO,
            steps=style.above(OVERDUE_S),
        ),
        Series(
            title="How many rows are deleted a second?",
            queries=(Query(per(BY_TABLE, rate("forgotten_rows_total")), TABLE_NAME),),
            unit="short",
            width=12,
            normal="as many as arrived one setting's time before.",
            act="none while rows are overdue: see the log of the service.",
            runbook="RowsNotDeleted",
            good=Good.ZERO,
        ),
        Series(
            title="How long does a deletion hold other writers up?",
            queries=(Query(quantile(0.99, "forgetting_hold_seconds", "job"), "{{job}} p99"),),
            unit="s",
            width=12,
            most=HOLD_S,
            normal="some milliseconds: chunks become smaller where they take longer. Nothing while nothing is deleted.",
            act="all writes are slow then: see the disk, and how long writes take on Services.",
            runbook="RowsNotDeleted",
            good=Good.EMPTY,
            steps=style.above(HOLD_S),
        ),
    ),
)
