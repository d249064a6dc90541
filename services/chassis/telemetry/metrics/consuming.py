"""Metrics of consumers: batches, records and their outcomes."""

from services.chassis.telemetry.metrics.declared import Declared
from services.contracts.service_list import PARKING, SERVICES

CONSUMED = Declared(
    name="messaging_client_consumed_messages_total",
    kind="counter",
    unit="records",
    meaning="Records whose effect, or refusal, is committed.",
    services=SERVICES,
    labels=("messaging_system", "messaging_destination_name", "messaging_consumer_group_name"),
)
PROCESS_DURATION = Declared(
    name="messaging_process_duration_seconds",
    kind="histogram",
    unit="seconds",
    meaning="Time from a batch in hand to its effects committed.",
    services=SERVICES,
    labels=("messaging_system", "messaging_consumer_group_name"),
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0),
)
BATCH_SIZE = Declared(
    name="consumer_batch_size",
    kind="histogram",
    unit="records",
    meaning="Records taken through one transaction.",
    services=SERVICES,
    labels=("messaging_consumer_group_name",),
    buckets=(1, 2, 5, 10, 25, 50, 100, 250, 500, 1000),
)
END_TO_END = Declared(
    name="event_end_to_end_latency_seconds",
    kind="histogram",
    unit="seconds",
    meaning="Time from an event's ce_time to its committed effect; replays stay out.",
    services=SERVICES,
    labels=("type",),
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0),
)
IMPLAUSIBLE_TIMES = Declared(
    name="implausible_times_total",
    kind="counter",
    unit="records",
    meaning="Records applied whose ce_time is over a minute ahead or a year old: a clock is wrong; replays stay out.",
    services=SERVICES,
    labels=("messaging_destination_name",),
)
PAUSED = Declared(
    name="consumer_paused",
    kind="gauge",
    unit="0 or 1",
    meaning="1 while the consumer waits for what it needs to apply records: partitions, a right, the database; else 0.",
    services=SERVICES,
    labels=("messaging_consumer_group_name",),
)
REPEATS = Declared(
    name="repeats_total",
    kind="counter",
    unit="records",
    meaning="Records recognised as applied before.",
    services=SERVICES,
    labels=("messaging_destination_name",),
)
NOT_SUBSCRIBED = Declared(
    name="not_subscribed_total",
    kind="counter",
    unit="records",
    meaning="Records of a type that nobody here subscribes to.",
    services=PARKING,
    labels=("messaging_destination_name",),
)
LOST_RACES = Declared(
    name="progress_lost_races_total",
    kind="counter",
    unit="batches",
    meaning="Batches rolled back because another consumer was faster.",
    services=SERVICES,
)
DEAD_LETTERS = Declared(
    name="dead_letters_total",
    kind="counter",
    unit="records",
    meaning="Records that can never be applied: they are held as dead, and the relay publishes their letters.",
    services=PARKING,
    labels=("reason",),
)
PARKED_KEYS = Declared(
    name="parked_keys",
    kind="gauge",
    unit="keys",
    meaning="Keys with records that wait because they cannot be applied.",
    services=PARKING,
)
HELD_RECORDS = Declared(
    name="held_records",
    kind="gauge",
    unit="records",
    meaning="Records that are held, parked or dead, by reason: an operator or a newer version decides on them.",
    services=PARKING,
    labels=("state", "reason"),
)
HELD_AGE = Declared(
    name="held_records_oldest_age_seconds",
    kind="gauge",
    unit="seconds",
    meaning="Time since the oldest record that is parked, or dead, is held; 0 when none.",
    services=PARKING,
    labels=("state",),
)
LETTERS_DUE = Declared(
    name="dead_letters_unpublished",
    kind="gauge",
    unit="records",
    meaning="Dead records whose letter is not on the dead-letter topic yet.",
    services=PARKING,
)
LETTERS_AGE = Declared(
    name="dead_letters_unpublished_age_seconds",
    kind="gauge",
    unit="seconds",
    meaning="Time since the oldest record without its letter became dead, 0 when none.",
    services=PARKING,
)
CEILING = Declared(
    name="ceiling_used_ratio",
    kind="gauge",
    unit="ratio",
    meaning="How much of a ceiling (dead_letters in the last minute, parked_keys) is used; at 1 the consumer stops.",
    services=PARKING,
    labels=("ceiling",),
)
