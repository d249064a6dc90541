"""Cases of the alerts on event processing."""

from tests.alerts.case import WHERE, Case, flat

USER = f'job="user", {WHERE}'
NOTIFICATION = f'job="notification", {WHERE}'
PROBE = f'job="console", {WHERE}, instance="1"'


def _of(metric: str, labels: str, *phases: tuple[float | str, int], instance: str = "1") -> dict[str, str]:
    return {f'{metric}{{{labels}, instance="{instance}"}}': flat(*phases)}


def _lag(group: str, topic: str, *phases: tuple[float | str, int]) -> dict[str, str]:
    return {f"consumer_lag_seconds{{{PROBE}, {_place(group, topic)}}}": flat(*phases)}


def _place(group: str, topic: str) -> str:
    return f'messaging_consumer_group_name="{group}", messaging_destination_name="{topic}"'


def _behind(group: str, topic: str) -> str:
    return f'job="{group}", {WHERE}, {_place(group, topic)}'


def _dead(reason: str, *phases: tuple[float | str, int], instance: str = "1") -> dict[str, str]:
    return _of("held_records", f'{USER}, state="dead", reason="{reason}"', *phases, instance=instance)


def _members(*phases: tuple[float | str, int]) -> dict[str, str]:
    return {f'consumer_group_members{{{PROBE}, messaging_consumer_group_name="audit"}}': flat(*phases)}


def _ceiling(*phases: tuple[float | str, int]) -> dict[str, str]:
    return _of("ceiling_used_ratio", f'{NOTIFICATION}, ceiling="dead_letters"', *phases)


AT_CEILING = f'{NOTIFICATION}, ceiling="dead_letters"'
STATE, EVENTS = "user.state.v1", "user.events.v1"

CASES = (
    Case(
        alert="OutboxOld",
        story="nothing is published for minutes",
        series=_of("outbox_oldest_age_seconds", USER, (0, 10), (300, 10), (0, 10)),
        firing={9: [], 15: [USER], 21: []},
    ),
    Case(
        alert="OutboxOld",
        story="a burst is published within two minutes, and what is not known is not old",
        series=_of("outbox_oldest_age_seconds", USER, (0, 10), (90, 2), (0, 10), ("NaN", 10)),
        firing={11: [], 13: [], 30: []},
    ),
    Case(
        alert="EventsStopped",
        story="one event is refused, another waits behind it, an operator decides",
        series=_of("outbox_stopped_events", USER, (0, 10), (2, 10), (0, 10))
        | _of("outbox_stopped_events", USER, (0, 10), (2, 10), (0, 10), instance="2"),
        firing={9: [], 11: [USER], 21: []},
    ),
    Case(
        alert="EventsStopped",
        story="nobody knows while the database is unreachable",
        series=_of("outbox_stopped_events", USER, (0, 10), ("NaN", 10)),
        firing={9: [], 19: []},
    ),
    Case(
        alert="RelayWithoutLease",
        story="neither of two processes leads",
        series=_of("relay_epoch", USER, (1, 10), (0, 10), (2, 10)) | _of("relay_epoch", USER, (0, 30), instance="2"),
        firing={9: [], 15: [USER], 23: []},
    ),
    Case(
        alert="RelayWithoutLease",
        story="a relay that takes the lease again and again and always fails does not lead",
        series=_of("relay_epoch", USER, *[(0, 1), (1, 1)] * 10, (9, 10)),
        firing={15: [USER], 25: []},
    ),
    Case(
        alert="RelayWithoutLease",
        story="the lease goes from one process to the other",
        series=_of("relay_epoch", USER, (1, 15), (0, 15)) | _of("relay_epoch", USER, (0, 16), (2, 14), instance="2"),
        firing={14: [], 17: [], 29: []},
    ),
    Case(
        alert="RelayHalted",
        story="one of two processes finds that partitions were added, until the topic is recreated",
        series=_of("relay_halted", USER, (0, 10), (1, 10), (0, 10)) | _of("relay_halted", USER, (0, 30), instance="2"),
        firing={9: [], 13: [USER], 19: [USER], 22: []},
    ),
    Case(
        alert="RelayHalted",
        story="a relay that goes on at once",
        series=_of("relay_halted", USER, *[(0, 1)] * 30),
        firing={29: []},
    ),
    Case(
        alert="RelayPaused",
        story="a pause of twenty minutes that was forgotten, as both processes report it, until it is ended",
        series=_of("relay_paused_seconds", USER, (0, 5), (300, 5), (960, 10), (0, 5))
        | _of("relay_paused_seconds", USER, (0, 5), (300, 5), (960, 10), (0, 5), instance="2"),
        firing={4: [], 9: [], 12: [USER], 19: [USER], 22: []},
    ),
    Case(
        alert="RelayPaused",
        story="a pause of ten minutes",
        series=_of("relay_paused_seconds", USER, (0, 5), (600, 10), (0, 5)),
        firing={4: [], 14: [], 19: []},
    ),
    Case(
        alert="ConsumerLagging",
        story="the oldest record is minutes old, and once could not be read",
        series=_lag("notification", STATE, (0, 10), (120, 5), ("NaN", 1), (180, 4), (0, 10)),
        firing={9: [], 16: [_behind("notification", STATE)], 19: [_behind("notification", STATE)], 24: []},
    ),
    Case(
        alert="ConsumerLagging",
        story="records are old by seconds, or by minutes for a moment, or nobody knows",
        series=_lag("notification", STATE, (5, 10), (200, 2), (5, 10), ("NaN", 10)),
        firing={9: [], 12: [], 13: [], 31: []},
    ),
    Case(
        alert="AuditBehind",
        story="audit has not entered what is minutes old",
        series=_lag("audit", EVENTS, (0, 10), (300, 10), (0, 10)),
        firing={9: [], 17: [_behind("audit", EVENTS)], 24: []},
    ),
    Case(
        alert="AuditBehind",
        story="another group is behind, audit for a moment only",
        series=_lag("audit", EVENTS, (0, 10), (300, 3), (0, 10)) | _lag("notification", STATE, (300, 23)),
        firing={11: [], 13: [], 22: []},
    ),
    Case(
        alert="GroupWithoutMembers",
        story="the last member has left",
        series=_members((1, 10), (0, 10), (1, 10)),
        firing={9: [], 15: [f'job="audit", {WHERE}, messaging_consumer_group_name="audit"'], 21: []},
    ),
    Case(
        alert="GroupWithoutMembers",
        story="a restart, and a broker that cannot be asked",
        series=_members((1, 10), (0, 1), (1, 10), ("_", 10)),
        firing={10: [], 12: [], 30: []},
    ),
    Case(
        alert="ConsumerPaused",
        story="a dependency is unreachable for minutes",
        series=_of("consumer_paused", f'{USER}, messaging_consumer_group_name="user"', (0, 10), (1, 10), (0, 10)),
        firing={9: [], 18: [USER], 23: []},
    ),
    Case(
        alert="ConsumerPaused",
        story="it pauses and goes on, again and again",
        series=_of("consumer_paused", f'{USER}, messaging_consumer_group_name="user"', *[(1, 1), (0, 1)] * 15),
        firing={10: [], 20: [], 29: []},
    ),
    Case(
        alert="DeadRecordsHeld",
        story="records become dead for two reasons, as both replicas know, and an operator retries them",
        series=_dead("malformed", (0, 10), (2, 10), (0, 10))
        | _dead("invalid", (0, 10), (1, 10), (0, 10))
        | _dead("malformed", (0, 10), (2, 10), (0, 10), instance="2"),
        firing={9: [], 12: [USER], 22: []},
    ),
    Case(
        alert="DeadRecordsHeld",
        story="a record is parked, and nobody knows while the database is unreachable",
        series=_of("held_records", f'{USER}, state="parked", reason="newer_version"', (3, 30))
        | _dead("malformed", (0, 10), ("NaN", 10), (0, 10)),
        firing={5: [], 15: [], 25: []},
    ),
    Case(
        alert="DeadLettersUnpublished",
        story="the dead-letter topic is unreachable",
        series=_of("dead_letters_unpublished_age_seconds", USER, (0, 10), (400, 10), (0, 10)),
        firing={9: [], 11: [], 15: [USER], 22: []},
    ),
    Case(
        alert="DeadLettersUnpublished",
        story="letters wait for less than five minutes",
        series=_of("dead_letters_unpublished_age_seconds", USER, (0, 10), (250, 20)),
        firing={9: [], 20: [], 29: []},
    ),
    Case(
        alert="KeysParked",
        story="a key stays parked, as both replicas know",
        series=_of("parked_keys", USER, (0, 10), (1, 10), (0, 10))
        | _of("parked_keys", USER, (0, 10), (1, 10), (0, 10), instance="2"),
        firing={12: [], 18: [USER], 21: []},
    ),
    Case(
        alert="KeysParked",
        story="a key is applied by its second try, and nobody knows while the database is unreachable",
        series=_of("parked_keys", USER, (0, 10), (1, 3), (0, 10), ("NaN", 10)),
        firing={12: [], 15: [], 32: []},
    ),
    Case(
        alert="CeilingNear",
        story="half of what is allowed in a minute",
        series=_ceiling((0, 10), (0.6, 2), (0, 10)),
        firing={9: [], 11: [AT_CEILING], 13: []},
    ),
    Case(alert="CeilingNear", story="some letters", series=_ceiling((0, 10), (0.4, 10)), firing={9: [], 15: []}),
    Case(
        alert="CeilingReached",
        story="the process ends at its ceiling, and the next one begins from nothing",
        series=_ceiling((0, 10), (1.02, 1), ("_", 2), (0, 30)),
        firing={9: [], 11: [AT_CEILING], 18: [AT_CEILING], 30: []},
    ),
    Case(
        alert="CeilingReached", story="near is not there", series=_ceiling((0, 10), (0.99, 20)), firing={9: [], 29: []}
    ),
    Case(
        alert="NoticesWaiting",
        story="a state does not come",
        series=_of("replica_wait_seconds", NOTIFICATION, (0, 10), (600, 20), (0, 10)),
        firing={12: [], 25: [NOTIFICATION], 31: []},
    ),
    Case(
        alert="NoticesWaiting",
        story="states come some seconds, or a minute or two, after their notices",
        series=_of("replica_wait_seconds", NOTIFICATION, (20, 10), (100, 3), (0, 10), ("NaN", 5)),
        firing={9: [], 12: [], 27: []},
    ),
)
