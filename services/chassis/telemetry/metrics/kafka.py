"""Metrics from librdkafka's statistics, one series per client: relay, dead-letters, operations, consumer."""

from services.chassis.telemetry.metrics.declared import Declared
from services.contracts.service_list import PUBLISHERS, SERVICES

QUEUE = Declared(
    name="kafka_client_queue_messages",
    kind="gauge",
    unit="records",
    meaning="Records that a producer holds and the broker has not acknowledged.",
    services=(*PUBLISHERS, "audit"),  # which publishes checkpoints
    labels=("client",),
)
ROUND_TRIP = Declared(
    name="kafka_client_round_trip_seconds",
    kind="gauge",
    unit="seconds",
    meaning=(
        "Time from a request to the broker's answer, percentile 50 or 99 of the last seconds with requests, of the "
        "slowest broker. A consumer's fetches wait at the broker for records, by up to 0.1 s."
    ),
    services=SERVICES,
    labels=("client", "percentile"),
)
BROKERS_UP = Declared(
    name="kafka_client_brokers_up",
    kind="gauge",
    unit="brokers",
    meaning="Brokers that a client has a connection to.",
    services=SERVICES,
    labels=("client",),
)
REQUEST_ERRORS = Declared(
    name="kafka_client_request_errors_total",
    kind="counter",
    unit="requests",
    meaning="Requests that could not be sent, were not answered in time, or whose answer could not be read.",
    services=SERVICES,
    labels=("client",),
)
REQUEST_RETRIES = Declared(
    name="kafka_client_request_retries_total",
    kind="counter",
    unit="requests",
    meaning="Requests sent again.",
    services=SERVICES,
    labels=("client",),
)
FETCH_QUEUE = Declared(
    name="kafka_client_fetch_queue_bytes",
    kind="gauge",
    unit="bytes",
    meaning="Bytes that a consumer has fetched and nobody has taken yet.",
    services=SERVICES,
    labels=("client",),
)
REBALANCES = Declared(
    name="kafka_client_rebalances_total",
    kind="counter",
    unit="rebalances",
    meaning="Assignments that a member of a group was given or lost.",
    services=SERVICES,
    labels=("client",),
)
ERROR_EVENTS = Declared(
    name="kafka_client_error_events_total",
    kind="counter",
    unit="events",
    meaning=(
        "Errors that a client reported, by librdkafka's name of the code. TOPIC_AUTHORIZATION_FAILED, "
        "GROUP_AUTHORIZATION_FAILED and _FATAL end a consumer, which is then reopened."
    ),
    services=SERVICES,
    labels=("client", "error"),
)
