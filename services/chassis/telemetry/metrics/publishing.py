"""The event store, which is the outbox, and the relay that publishes it."""

from services.chassis.telemetry.metrics.declared import Declared
from services.contracts.service_list import PUBLISHERS, SERVICES

APPENDED = Declared(
    name="event_store_appended_total",
    kind="counter",
    unit="events",
    meaning="Events committed to the store.",
    services=PUBLISHERS,
    labels=("type",),
)
OUTBOX_PENDING = Declared(
    name="outbox_pending_events",
    kind="gauge",
    unit="events",
    meaning="Events stored and not yet acknowledged by the broker.",
    services=PUBLISHERS,
)
OUTBOX_AGE = Declared(
    name="outbox_oldest_age_seconds",
    kind="gauge",
    unit="seconds",
    meaning="Age of the oldest pending event, 0 when none.",
    services=PUBLISHERS,
)
OUTBOX_STOPPED = Declared(
    name="outbox_stopped_events",
    kind="gauge",
    unit="events",
    meaning="Events that the broker refuses for good, and later events of their subjects: an operator must decide.",
    services=PUBLISHERS,
)
RELAY_EPOCH = Declared(
    name="relay_epoch",
    kind="gauge",
    unit="number",
    meaning="Fencing epoch of this process's relay, 0 while it does not lead.",
    services=PUBLISHERS,
)
RELAY_REFUSED = Declared(
    name="relay_refused_writes_total",
    kind="counter",
    unit="writes",
    meaning="Writes of this relay that were refused: another one had taken over meanwhile, as during a long pause.",
    services=PUBLISHERS,
)
RELAY_HALTED = Declared(
    name="relay_halted",
    kind="gauge",
    unit="0 or 1",
    meaning="1 while the relay publishes nothing until an operator acts: a topic or the store is not what it was.",
    services=PUBLISHERS,
)
RELAY_PAUSED = Declared(
    name="relay_paused_seconds",
    kind="gauge",
    unit="seconds",
    meaning="Time since an operator paused the relay, 0 while it is not paused.",
    services=PUBLISHERS,
)
ACTION_COUNT = Declared(
    name="operator_actions",
    kind="gauge",
    unit="actions",
    meaning="Actions of operators in this store since it was created or restored, by action, such as store.rebuild.",
    services=PUBLISHERS,
    labels=("action",),
)
ACTION_LATEST = Declared(
    name="operator_action_latest_timestamp_seconds",
    kind="gauge",
    unit="seconds",
    meaning="When the latest of each action took effect, in seconds since 1970.",
    services=PUBLISHERS,
    labels=("action",),
)
ACTION_SIZE = Declared(
    name="operator_action_latest_items",
    kind="gauge",
    unit="items",
    meaning="Items of the latest of each action: rows of a rebuild, the last event of a restore, held records.",
    services=PUBLISHERS,
    labels=("action",),
)
SENT = Declared(
    name="messaging_client_sent_messages_total",
    kind="counter",
    unit="records",
    meaning="Records that the broker has acknowledged.",
    services=PUBLISHERS,
    labels=("messaging_system", "messaging_destination_name"),
)
PUBLISH_LATENCY = Declared(
    name="event_publish_latency_seconds",
    kind="histogram",
    unit="seconds",
    meaning="Time from an event's ce_time to the broker's acknowledgement of all its records.",
    services=PUBLISHERS,
    labels=("type",),
    buckets=(0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 15.0, 60.0),
)
OPERATION_DURATION = Declared(
    name="messaging_client_operation_duration_seconds",
    kind="histogram",
    unit="seconds",
    meaning=(
        "Time to the broker's acknowledgement: publish is a chunk of the relay (destination empty, for it has several) "
        "or dead letters, commit the hint of how far a group is. error_type is empty where all went well."
    ),
    services=SERVICES,
    labels=("messaging_system", "messaging_destination_name", "messaging_operation_name", "error_type"),
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 15.0),
)
