"""Alerts on the way of an event: store, relay, topic, consumer, effect."""

from k8s.alerts.alert import Alert

LAG = "max by (namespace, messaging_consumer_group_name, messaging_destination_name)"
GROUP = "{{ $labels.messaging_consumer_group_name }}"
TOPIC = "{{ $labels.messaging_destination_name }}"
OF_GROUP = {"job": GROUP}  # the probe tells it, the group's own service is meant

ALERTS = (
    Alert(
        name="OutboxOld",
        when="max by (job, namespace) (outbox_oldest_age_seconds) > 1m",
        lasting="2m",
        severity="page",
        summary="{{ $labels.job }}'s events have waited {{ $value | humanizeDuration }} to be published",
        description="Commands are accepted, but nobody hears of them until {{ $labels.job }}'s relay publishes.",
    ),
    Alert(
        name="EventsStopped",
        when="max by (job, namespace) (outbox_stopped_events) > 0",
        lasting="0s",
        severity="page",
        summary="{{ $value }} of {{ $labels.job }}'s events are stopped: the broker refuses one for good",
        description="Nothing of their subjects is published until a person decides; all other subjects go on.",
    ),
    Alert(
        name="RelayWithoutLease",
        # The lowest of two minutes: a relay that takes the lease and fails at once must not look as if it led.
        when="max by (job, namespace) (min_over_time(relay_epoch[2m])) == 0",
        lasting="2m",
        severity="page",
        summary="Nobody leads {{ $labels.job }}'s relay",
        description="No process of {{ $labels.job }} holds the relay's lease for long, so nothing is published.",
    ),
    Alert(
        name="RelayHalted",
        when="max by (job, namespace) (min_over_time(relay_halted[1m])) == 1",
        lasting="0s",
        severity="page",
        summary="{{ $labels.job }}'s relay publishes nothing until somebody acts",
        description="A topic has another number of partitions, or the store is older than the log; the log names it.",
    ),
    Alert(
        name="RelayPaused",
        when="max by (job, namespace) (relay_paused_seconds) > 15m",
        lasting="0s",
        severity="ticket",
        summary="An operator paused {{ $labels.job }}'s relay {{ $value | humanizeDuration }} ago",
        description="Events of {{ $labels.job }} wait in its store until somebody ends the pause.",
    ),
    Alert(
        name="ConsumerLagging",
        # The lowest that was seen: an age that could not be read (NaN) is no end of the lag.
        when=f'{LAG} (min_over_time(consumer_lag_seconds{{messaging_consumer_group_name!="audit"}}[2m])) > 1m',
        lasting="2m",
        severity="page",
        labels=OF_GROUP,
        summary=f"{GROUP} is {{{{ $value | humanizeDuration }}}} behind on {TOPIC}",
        description=f"The oldest record of {TOPIC} that {GROUP} has not applied is that old: its effects are late.",
    ),
    Alert(
        name="AuditBehind",
        when=f'{LAG} (min_over_time(consumer_lag_seconds{{messaging_consumer_group_name="audit"}}[2m])) > 2m',
        lasting="3m",
        severity="page",
        labels=OF_GROUP,
        summary=f"The audit log is {{{{ $value | humanizeDuration }}}} behind {TOPIC}",
        description=f"Records of {TOPIC} since then have no entry yet, and retention deletes records of the topic.",
    ),
    Alert(
        name="GroupWithoutMembers",
        when="max by (namespace, messaging_consumer_group_name) (consumer_group_members) == 0",
        lasting="2m",
        severity="page",
        labels=OF_GROUP,
        summary=f"Nobody consumes for {GROUP}",
        description=f"The consumer group {GROUP} has no members at the broker.",
    ),
    Alert(
        name="ConsumerPaused",
        when="max by (job, namespace) (min_over_time(consumer_paused[2m])) == 1",
        lasting="3m",
        severity="ticket",
        summary="{{ $labels.job }}'s consumer waits for what it depends on",
        description="Its database or broker is unreachable, or it has no partitions or lacks a right; it logs which.",
    ),
    Alert(
        name="DeadRecordsHeld",
        when='sum by (job, namespace) (max by (job, namespace, reason) (held_records{state="dead"})) > 0',
        lasting="0s",
        severity="ticket",
        summary="{{ $labels.job }} holds {{ $value }} dead records",
        description="They can never be applied as they are: retry them with a corrected decoder, or discard them.",
    ),
    Alert(
        name="DeadLettersUnpublished",
        when="max by (job, namespace) (dead_letters_unpublished_age_seconds) > 5m",
        lasting="2m",
        severity="ticket",
        summary="{{ $labels.job }}'s dead letters have waited {{ $value | humanizeDuration }} to be published",
        description="The records are held, and other effects go on; their letters are not on the dead-letter topic.",
    ),
    Alert(
        name="KeysParked",
        when="max by (job, namespace) (parked_keys) > 0",
        lasting="5m",
        severity="ticket",
        summary="{{ $labels.job }} has {{ $value }} parked keys",
        description="Records that {{ $labels.job }} cannot apply wait, with the later ones of the key; others go on.",
    ),
    Alert(
        name="CeilingNear",
        when="max by (job, namespace, ceiling) (ceiling_used_ratio) >= 0.5",
        lasting="0s",
        severity="ticket",
        summary="{{ $labels.job }} has used {{ $value | humanizePercentage }} of its ceiling on {{ $labels.ceiling }}",
        description="At the ceiling the consumer of {{ $labels.job }} stops: so many are no matter of single records.",
    ),
    Alert(
        name="CeilingReached",
        # The process ends with it, so the last word of each counts for a while.
        when="max by (job, namespace, ceiling) (max_over_time(ceiling_used_ratio[10m])) >= 1",
        lasting="0s",
        severity="page",
        summary="{{ $labels.job }} has stopped at its ceiling on {{ $labels.ceiling }}",
        description="So many records were refused that something else must be wrong: a person has to look.",
    ),
    Alert(
        name="NoticesWaiting",
        when="max by (job, namespace) (replica_wait_seconds) > 1m",
        lasting="5m",
        severity="ticket",
        summary="A notice has waited {{ $value | humanizeDuration }} for its user's state",
        description="Notices came to {{ $labels.job }} whose state did not: nothing is sent for them until it does.",
    ),
)
