"""Metrics of one service: notification's mails and replica, audit's log, the lag probe's look at Kafka."""

from services.chassis.telemetry.metrics.declared import Declared

REPLICA_WAIT = Declared(
    name="replica_wait_seconds",
    kind="gauge",
    unit="seconds",
    meaning="Age of the oldest notice that waits for its replica, 0 when none.",
    services=("notification",),
)
MAIL_INTENTS = Declared(
    name="mail_intents",
    kind="gauge",
    unit="mails",
    meaning="Mails that are not finished, by state: open, attempting, unknown.",
    services=("notification",),
    labels=("state",),
)
MAILS = Declared(
    name="mails_total",
    kind="counter",
    unit="mails",
    meaning="Outcomes of attempts: sent, failed for good, retried later, unknown whether it was taken.",
    services=("notification",),
    labels=("outcome",),
)
MAIL_AGE = Declared(
    name="mail_oldest_open_age_seconds",
    kind="gauge",
    unit="seconds",
    meaning="Age of the oldest mail that is not finished, 0 when none.",
    services=("notification",),
)
MAIL_SERVER_UP = Declared(
    name="mail_server_up",
    kind="gauge",
    unit="0 or 1",
    meaning="0 while mails wait because the mail server is unreachable, else 1.",
    services=("notification",),
)
MAIL_LATENCY = Declared(
    name="mail_delivery_latency_seconds",
    kind="histogram",
    unit="seconds",
    meaning="Time from a mail queued to its acceptance by the mail server.",
    services=("notification",),
    labels=("template",),
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 3600.0),
)
AUDIT_SIZE = Declared(
    name="audit_log_size",
    kind="gauge",
    unit="entries",
    meaning="Entries in the audit log.",
    services=("audit",),
)
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
