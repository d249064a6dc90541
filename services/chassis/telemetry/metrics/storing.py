"""Tables whose old rows are deleted: their size, and how long a deletion holds other writers up."""

from services.chassis.telemetry.metrics.declared import Declared
from services.contracts.service_list import PARKING

TABLE_ROWS = Declared(
    name="table_rows",
    kind="gauge",
    unit="rows",
    meaning="Rows of a table whose old rows are deleted, at the last look; PostgreSQL's own estimate.",
    services=PARKING,
    labels=("table",),
)
TABLE_AGE = Declared(
    name="table_oldest_age_seconds",
    kind="gauge",
    unit="seconds",
    meaning="Age of the oldest row that is to be deleted one day, 0 when none.",
    services=PARKING,
    labels=("table",),
)
TABLE_OVERDUE = Declared(
    name="table_overdue_seconds",
    kind="gauge",
    unit="seconds",
    meaning="Time since which old rows should be gone, or the next look at the table is due; 0 in order.",
    services=PARKING,
    labels=("table",),
)
FORGOTTEN = Declared(
    name="forgotten_rows_total",
    kind="counter",
    unit="rows",
    meaning="Old rows that were deleted.",
    services=PARKING,
    labels=("table",),
)
FORGETTING_HOLD = Declared(
    name="forgetting_hold_seconds",
    kind="histogram",
    unit="seconds",
    meaning="Time for which one deletion held other writers up, its commit included.",
    services=PARKING,
    buckets=(0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0),
)
