"""The log against itself: gaps, order, conflicts, and states that are not the newest."""

from collections import Counter, defaultdict
from collections.abc import Iterator

from services.contracts.catalog import NOTIFICATION_EVENTS, USER_EVENTS, USER_NOTICES, USER_STATE
from services.workbench.reconcile.evidence import Event, Evidence
from services.workbench.reconcile.finding import Check, Finding

NUMBERED = (USER_EVENTS.name, NOTIFICATION_EVENTS.name)  # their publishers' sequence numbers have no gap
ORDERED = (USER_EVENTS.name, USER_STATE.name, USER_NOTICES.name)  # by user


def skipped(evidence: Evidence) -> Iterator[Finding]:
    """Find versions of a user, and sequence numbers of a publisher, between others and on no record."""
    versions: dict[str, set[int]] = defaultdict(set)
    for event in evidence.events(USER_EVENTS.name):
        versions[event.envelope.subject].add(event.envelope.version)
    for user_id, found in versions.items():
        for version in sorted(set(range(1, max(found))) - found):
            yield Finding(f"user {user_id} has version {max(found)}, and no fact has version {version}")
    for topic in NUMBERED:
        numbers = {event.envelope.sequence for event in evidence.events(topic)}
        first = 1 if topic == USER_EVENTS.name else min(numbers, default=1)  # facts are kept for ever
        for number in sorted(set(range(first, max(numbers, default=0))) - numbers):
            yield Finding(f"{topic} has no event with sequence {number:,}")


def out_of_order(evidence: Evidence) -> Iterator[Finding]:
    """Find events whose first record is behind a newer event of their user."""
    for topic in ORDERED:
        newest: dict[str, int] = {}
        for event in _first_sightings(evidence.events(topic)):
            envelope = event.envelope
            if envelope.version < newest.get(envelope.subject, 0):
                what = f"{event.place} has version {envelope.version} of {envelope.subject}"
                yield Finding(f"{what} behind {newest[envelope.subject]}", envelope.correlation_id)
            newest[envelope.subject] = max(envelope.version, newest.get(envelope.subject, 0))
    yield from _returns(evidence)


def conflicts(evidence: Evidence) -> Iterator[Finding]:
    """Find two events under one number, or one event with two contents."""
    for topic in (*ORDERED, NOTIFICATION_EVENTS.name):
        held: dict[tuple[object, ...], Event] = {}
        for event in evidence.events(topic):
            envelope, identity = event.envelope, (event.envelope.id, event.digest)
            for key in _keys(topic, event):
                other = held.setdefault(key, event)
                if (other.envelope.id, other.digest) != identity:
                    what = f"{other.place} and {event.place} both have {' '.join(map(str, key))}"
                    yield Finding(what, envelope.correlation_id)


def stale_states(evidence: Evidence) -> Iterator[Finding]:
    """Find users whose last state is not that of their newest fact."""
    newest = evidence.newest_versions()
    last = {one.key: one for one in evidence.seen.get(USER_STATE.name, ())}
    states = {(key or b"").decode(errors="replace"): one for key, one in last.items()}
    for user_id, version in newest.items():
        state = states.get(user_id)
        if state is None:
            yield Finding(f"user {user_id} has no state, and facts up to version {version}")
        elif state.has_value and state.envelope and state.envelope.version != version:
            what = f"{state.place}, the last state of {user_id}, has version {state.envelope.version}"
            yield Finding(f"{what}, the newest fact {version}", state.envelope.correlation_id)


def _returns(evidence: Evidence) -> Iterator[Finding]:
    """Find partitions whose sequence numbers go back more often than a relay can have begun again."""
    if evidence.takeovers is None:
        return
    last: dict[tuple[str, int], int] = {}
    returns = Counter[tuple[str, int]]()
    for event in evidence.events(USER_EVENTS.name):
        where, number = event.place[:2], event.envelope.sequence
        returns[where] += number <= last.get(where, 0)
        last[where] = number
    for (topic, partition), times in returns.items():
        if times > evidence.takeovers:
            what = f"{topic}[{partition}] goes back {times:,} times, and {evidence.takeovers:,} relays had the lease"
            yield Finding(what)


def _first_sightings(events: list[Event]) -> Iterator[Event]:
    known: set[str] = set()
    for event in events:
        if event.envelope.id not in known:
            known.add(event.envelope.id)
            yield event


def _keys(topic: str, event: Event) -> Iterator[tuple[object, ...]]:
    envelope = event.envelope
    yield "id", envelope.id
    if topic in NUMBERED:
        yield "sequence", envelope.sequence
    if topic in ORDERED:
        yield "version", envelope.version, "of", envelope.subject


CHECKS = (
    Check(
        "internal send skip",
        "a gap in a user's versions, or in a publisher's sequence numbers",
        "numbers of events that retention has deleted",
        skipped,
    ),
    Check(
        "nonmonotonic send",
        "an event published behind a newer one of its user",
        "repeats of events that were there, once for each relay that begins again",
        out_of_order,
    ),
    Check("conflict", "two events under one number, or one event with two contents", "nothing", conflicts),
    Check("stale state", "the last state of a user is not the newest", "users who were erased", stale_states),
)
