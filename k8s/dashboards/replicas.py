"""A row of panels for each service that keeps a replica, as its row in the list of services declares."""

from k8s.dashboards import style
from k8s.dashboards.board import Row
from k8s.dashboards.kafka import BEHIND_S
from k8s.dashboards.panel import Good, Query
from k8s.dashboards.panel_types import Series
from k8s.dashboards.promql import PROBE, most, of, per, rate
from services.contracts import service_list

LAG, AGE = "consumer_lag_records", "consumer_lag_seconds"


def _row(name: str) -> Row:
    group, job = f'messaging_consumer_group_name="{name}"', f'job="{name}"'
    return Row(
        f"The replica of {name}",
        (
            Series(
                title="How many are kept?",
                queries=(Query(most("", of(f"{name}_records")), "kept"),),
                unit="short",
                width=6,
                normal="one for each key of its topics; it grows with them and never falls.",
                act="it stays while its topics grow: see how far it is behind.",
            ),
            Series(
                title="How fast are they applied?",
                queries=(Query(per("", rate("event_end_to_end_latency_seconds_count", job)), "applied"),),
                unit="recps",
                width=6,
                normal="as fast as its topics grow; at its first start it reads them from the beginning.",
                act="zero while its topics grow: it is paused, parked, or does not run.",
            ),
            Series(
                title="How far behind is it?",
                queries=(Query(per("", of(LAG, group, where=PROBE)), "records"),),
                unit="short",
                width=6,
                normal="near zero, with short peaks, and a slope downwards after its first start.",
                act="a slope that lasts: it applies less than is written. See its batches above.",
                runbook="ConsumerLagging",
                good=Good.ZERO,
            ),
            Series(
                title="How old is the oldest unread?",
                queries=(Query(most("", of(AGE, group, where=PROBE)), "oldest"),),
                unit="s",
                width=6,
                normal="some seconds at most.",
                act="a straight slope of one second a second: it does not consume at all.",
                runbook="ConsumerLagging",
                good=Good.ZERO,
                steps=style.above(BEHIND_S),
            ),
        ),
    )


ROWS = tuple(_row(row.name) for row in service_list.ROWS if row.replica)
