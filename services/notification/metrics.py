"""Metrics of mails and of the replica of users."""

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
REFUSALS = Declared(
    name="mail_refusals_total",
    kind="counter",
    unit="mails",
    meaning="Mails refused by the server: bounced (flags the address), refused, deferred above the ceiling.",
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
