"""Panels of parked keys and dead letters, shared by two dashboards."""

from k8s.dashboards import style
from k8s.dashboards.panel import Good, Query
from k8s.dashboards.panel_types import Bars, Series, Stat
from k8s.dashboards.promql import ALL_TIME, increases, new_dead_letters, of, per

DEAD_LETTERS = Stat(
    title="Dead letters",
    queries=(Query(new_dead_letters()),),
    unit="short",
    normal="zero in the time that this page shows.",
    act="python -m services.console held list --state dead shows them with their reasons.",
    runbook="DeadRecordsHeld",
    good=Good.ZERO,
    steps=style.NONE_ALLOWED,
)
PARKED_KEYS = Stat(
    title="Parked keys",
    queries=(Query(per("", of("parked_keys"))),),
    unit="short",
    normal="zero.",
    act="python -m services.console held list shows what waits and why; others go on meanwhile.",
    runbook="KeysParked",
    good=Good.ZERO,
    steps=style.NONE_ALLOWED,
)


def dead_letters_by_reason(width: int) -> Bars:
    """Return the panel of dead letters for each service and reason; a bar is red, for there should be none."""
    return Bars(
        title="Which records became dead letters?",
        queries=(
            Query(f"{per('job, reason', increases('dead_letters_total', window=ALL_TIME))} > 0", "{{job}} {{reason}}"),
        ),
        unit="locale",
        width=width,
        normal="nothing here, in the time that this page shows.",
        act="the reason shows what is wrong: malformed and invalid are the publisher's doing, or our decoder's. The "
        "consumer holds each record whole: python -m services.console held list.",
        runbook="DeadRecordsHeld",
        good=Good.EMPTY,
        steps=style.NONE_ALLOWED,
    )


def parked_keys_by_service(width: int) -> Series:
    """Return the panel of parked keys over time; a line is red where there are any."""
    return Series(
        title="How many keys are parked?",
        queries=(Query(per("job", of("parked_keys")), "{{job}}"),),
        unit="short",
        width=width,
        most=1,
        normal="zero.",
        act="newer code is needed for them, usually: deploy it, and they are tried again at the start.",
        runbook="KeysParked",
        good=Good.ZERO,
        steps=style.NONE_ALLOWED,
    )
