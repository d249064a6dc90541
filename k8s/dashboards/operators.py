"""Row of the page Reliability on what operators did: restores, rebuilds, retries, pauses, with the outcome of each."""

from k8s.dashboards.board import Row
from k8s.dashboards.panel import Good, Query
from k8s.dashboards.panel_types import Bars, Series
from k8s.dashboards.promql import most, of

BY_ACTION, ACTION_NAME = "job, action", "{{job}} {{action}}"

OPERATORS = Row(
    "What operators did",
    (
        Series(
            title="Which actions did operators take?",
            queries=(Query(most(BY_ACTION, of("operator_actions")), ACTION_NAME),),
            unit="short",
            width=8,
            normal="level lines, one for each action ever taken in this store; a step is one action.",
            act="console events --topic operations.v1 shows who acted, on what and why. A line that ends or falls: the "
            "store was restored, which keeps no action before it.",
            good=Good.EMPTY,
        ),
        Bars(
            title="How long ago was the latest of each?",
            queries=(
                Query(f"time() - {most(BY_ACTION, of('operator_action_latest_timestamp_seconds'))}", ACTION_NAME),
            ),
            unit="s",
            width=8,
            normal="store.rebuild and store.restore are here once they have ended well; a failed one leaves nothing.",
            act="an action that nobody knows of: console journey user.store shows those of the user service's store.",
            good=Good.EMPTY,
        ),
        Bars(
            title="What did the latest of each apply to?",
            queries=(Query(most(BY_ACTION, of("operator_action_latest_items")), ACTION_NAME),),
            unit="locale",
            width=8,
            normal="store.restore: the last sequence number; store.rebuild: rows; the others: records or events.",
            act="a rebuild with fewer rows than the table had: python -m services.user rebuild --check compares them.",
            good=Good.EMPTY,
        ),
    ),
)
