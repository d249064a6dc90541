"""Metrics of the lag exporter: lag, members and topics, as the broker reports them."""

from services.chassis.telemetry.metrics.declared import Declared

LAG_RECORDS = Declared(
    name="consumer_lag_records",
    kind="gauge",
    unit="records",
    meaning="Records that a consumer group has yet to consume; no series while the broker cannot be asked.",
    services=("console",),
    labels=("messaging_consumer_group_name", "messaging_destination_name"),
)
LAG_SECONDS = Declared(
    name="consumer_lag_seconds",
    kind="gauge",
    unit="seconds",
    meaning=(
        "Age of the oldest record that a consumer group has yet to consume, 0 when none, NaN when it could not be read."
    ),
    services=("console",),
    labels=("messaging_consumer_group_name", "messaging_destination_name"),
)
LAG_FAILURES = Declared(
    name="lag_probe_failures_total",
    kind="counter",
    unit="looks",
    meaning="Times that the lag probe could not ask the broker.",
    services=("console",),
)
GROUP_MEMBERS = Declared(
    name="consumer_group_members",
    kind="gauge",
    unit="members",
    meaning="Members of a consumer group; no series while the broker cannot be asked.",
    services=("console",),
    labels=("messaging_consumer_group_name",),
)
END_OFFSET = Declared(
    name="topic_end_offset",
    kind="gauge",
    unit="records",
    meaning="Offset behind a topic's last record, summed over its partitions.",
    services=("console",),
    labels=("messaging_destination_name",),
)
UNDER_REPLICATED = Declared(
    name="topic_under_replicated_partitions",
    kind="gauge",
    unit="partitions",
    meaning="Partitions of a topic with fewer replicas in sync than it should have.",
    services=("console",),
    labels=("messaging_destination_name",),
)
BROKERS = Declared(
    name="kafka_brokers",
    kind="gauge",
    unit="brokers",
    meaning="Brokers in the cluster.",
    services=("console",),
)
CERTIFICATE_EXPIRY = Declared(
    name="kafka_certificate_expiry_timestamp_seconds",
    kind="gauge",
    unit="seconds since 1970",
    meaning="When the certificate expires that a bootstrap server shows; no series without TLS or an answer.",
    services=("console",),
    labels=("server_address",),
)
