"""The names of a panel's series, as regular expressions, from their legend and the values that its labels have."""

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence

from services.contracts.catalog import TOPICS, TYPES
from services.contracts.service_list import LAG_EXPORTER, ROWS

PLACEHOLDER = re.compile(r"\{\{(\w+)\}\}")
ANYTHING = ".+"
JOBS = (*sorted(row.name for row in ROWS), LAG_EXPORTER)  # the exporter has few series, so it may be last
# A label that is not here may have any value. Sorted, as Prometheus sorts its answers.
VALUES: Mapping[str, Sequence[str]] = {
    "job": JOBS,
    "messaging_consumer_group_name": JOBS,
    "messaging_destination_name": sorted(topic.name for topic in TOPICS),
    "type": sorted(TYPES),
    "ceiling": ("dead_letters", "parked_keys"),
    "client": ("checkpoints", "consumer", "dead-letters", "operations", "relay"),
    "db_operation_name": ("read", "write"),
    "http_request_method": ("DELETE", "GET", "PATCH", "POST"),
    "http_response_status_code": ("4..", "5.."),
    "messaging_operation_name": ("commit", "publish"),
    "outcome": ("bounced", "deferred", "failed", "refused", "retried", "sent", "unknown"),
    "table": ("addresses", "held", "held_finished", "inbox", "intents", "replies", "stopped_events"),
    "state": ("attempting", "open", "unknown"),
}


def names(legend: str) -> Iterator[str]:
    """Yield an expression for each name that a legend gives, in the order in which Prometheus returns the series."""
    labels = sorted(set(PLACEHOLDER.findall(legend)))
    if labels and not VALUES.keys() & set(labels):
        return
    for values in itertools.product(*(VALUES.get(label, (ANYTHING,)) for label in labels)):
        name = legend
        for label, value in zip(labels, values, strict=True):
            name = name.replace(f"{{{{{label}}}}}", value)
        yield name
