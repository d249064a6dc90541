"""The planted bugs: what each replaces, in which service, what gives it its chance, and which anomaly it is."""

from collections.abc import Callable
from enum import Enum
from typing import NamedTuple

from tests.support.bugs import audit_bugs, notification_bugs, user_bugs


class Chance(Enum):
    """The event during or after the load that shows a bug."""

    NOTHING = "requests"
    KILL = "kills"
    PAUSE = "a pause longer than its session"
    REPLICA = "a second replica"
    LATE = "a first start after the requests"
    NEWER = "records of a newer version"
    TOMBSTONE = "records without a value"
    POISON = "records that cannot be decoded"
    REPUBLISH = "the relay publishes everything again"
    RETRY = "a retry of dead records"
    RESTART = "a restart, which retries parked records"
    BACKUP = "a store of before in its place"


class Bug(NamedTuple):
    """A bug. `also` are anomalies that may follow from it, beside the expected one."""

    plant: Callable[[], None]
    service: str
    chance: Chance
    expected: str
    also: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """The name on the command line."""
        return self.plant.__name__.replace("_", "-")


SKIPS = frozenset({"poll skip", "unseen"})
REWRITTEN = SKIPS | {
    "lost write",
    "aborted read",
    "nonmonotonic read",
    "nonmonotonic send",
    "internal send skip",
    "stale state",
    "duplicate",
    "wrong projection",
    "inconsistent offsets",
}
U, N, A = "user", "notification", "audit"
BUGS = (
    Bug(
        user_bugs.acknowledge_before_commit,
        U,
        Chance.KILL,
        "lost write",
        frozenset({"nonmonotonic read", "aborted read"}),
    ),
    Bug(
        user_bugs.two_relays_with_skip_locked,
        U,
        Chance.REPLICA,
        "nonmonotonic send",
        frozenset({"stale state", "wrong projection"}) | SKIPS,
    ),
    Bug(user_bugs.relay_without_fencing, U, Chance.REPLICA, "nonmonotonic send", frozenset({"stale state"})),
    Bug(user_bugs.state_older_than_fact, U, Chance.NOTHING, "stale state", SKIPS | {"wrong projection"}),
    Bug(user_bugs.restored_store_publishes_old_numbers, U, Chance.BACKUP, "conflict", REWRITTEN),
    Bug(notification_bugs.position_before_effect, N, Chance.KILL, "poll skip", frozenset({"wrong projection"})),
    Bug(notification_bugs.no_deduplication, N, Chance.REPUBLISH, "duplicate", frozenset({"nonmonotonic poll"})),
    Bug(notification_bugs.start_at_the_end, N, Chance.LATE, "poll skip", frozenset({"wrong projection"})),
    Bug(notification_bugs.batch_truncated_on_error, N, Chance.NEWER, "poll skip", frozenset({"wrong projection"})),
    Bug(notification_bugs.dropped_dead_letter, N, Chance.POISON, "lost letter"),
    Bug(notification_bugs.parked_key_overtaken, N, Chance.RESTART, "nonmonotonic poll"),
    Bug(notification_bugs.retry_applies_an_older_state, N, Chance.RETRY, "wrong projection"),
    Bug(notification_bugs.mail_before_its_intent_is_durable, N, Chance.KILL, "duplicate"),
    Bug(notification_bugs.mail_without_a_stable_key, N, Chance.KILL, "duplicate"),
    Bug(audit_bugs.audit_skips_a_tombstone, A, Chance.TOMBSTONE, "poll skip"),
    Bug(audit_bugs.audit_skips_a_partition_after_a_rebalance, A, Chance.PAUSE, "poll skip"),
)


def named(name: str) -> Bug:
    """Return a bug. Raises ValueError."""
    (found,) = (bug for bug in BUGS if bug.name == name)
    return found
