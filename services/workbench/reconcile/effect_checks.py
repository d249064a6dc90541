"""The effects of the log: decisions, mails, the users' rows and the audit log."""

import math
from collections import defaultdict
from collections.abc import Iterator

from services.chassis.messages.record import TopicPartition
from services.contracts.catalog import DEAD_LETTERS, EVENT_TOPICS, NOTIFICATION_EVENTS, USER_EVENTS, USER_STATE
from services.contracts.notification import MAILED
from services.workbench.reconcile.evidence import Event, Evidence, Place, Seen, newest_versions
from services.workbench.reconcile.finding import Check, Finding

SENT, DECIDED = "notification.sent", ("notification.queued", "notification.suppressed")
MOST_DECISIONS = {kind: 2 if kind == "user.email_changed" else 1 for kind in MAILED}  # the old and the new address


def duplicates(evidence: Evidence) -> Iterator[Finding]:
    """Find causes with two effects, where there may be one."""
    yield from _facts_of_one_command(evidence)
    causes = {event.envelope.id: event for event in evidence.events(USER_EVENTS.name)}
    for (kind, cause), ids in _effects(evidence).items():
        if len(ids) > _most(kind, causes.get(cause)):
            events = sorted(ids.values(), key=lambda event: event.place)
            places = ", ".join(str(event.place) for event in events)
            yield Finding(f"{places}: {len(ids)} effects of {cause}", events[0].envelope.correlation_id)
    mails: dict[tuple[str, str], set[str]] = defaultdict(set)
    for mail in evidence.mails or ():
        for recipient in mail.recipients:
            mails[mail.correlation_id, recipient].add(mail.message_id)
    for (command, _), message_ids in mails.items():
        if len(message_ids) > 1:
            yield Finding(f"{len(message_ids)} mails to one address, with different Message-IDs", command)


def poll_skips(evidence: Evidence) -> Iterator[Finding]:
    """Find records without their effect in one group: a decision of notification, or an audit entry."""
    undecided = list(_undecided(evidence))
    for event in undecided:
        if _is_audited(evidence, event.place):
            yield Finding(f"notification has decided nothing about {event.place}", event.envelope.correlation_id)
    places = {event.place for event in undecided}
    for one in _not_audited(evidence):
        if one.place not in places:
            command = one.envelope.correlation_id if one.envelope else ""
            yield Finding(f"audit has no entry for {one.place}", command)


def unseen(evidence: Evidence) -> Iterator[Finding]:
    """Find facts that neither notification nor audit shows."""
    for event in _undecided(evidence):
        if not _is_audited(evidence, event.place):
            yield Finding(f"no group has seen {event.place}", event.envelope.correlation_id)


def inconsistent_offsets(evidence: Evidence) -> Iterator[Finding]:
    """Find audit entries that are not, byte for byte, the record which the broker has at their offset."""
    records = {one.place: one for topic in evidence.seen.values() for one in topic}
    ends = evidence.ends or {}
    for place, digest in (evidence.entries or {}).items():
        one = records.get(place)
        if one is None:
            if place.offset >= ends.get(TopicPartition(place.topic, place.partition), math.inf):
                yield Finding(f"audit has an entry for {place}, which is behind the end of the partition")
            continue
        if digest != one.digest:
            command = one.envelope.correlation_id if one.envelope else ""
            yield Finding(f"audit's entry for {place} has other bytes than the broker", command)


def wrong_rows(evidence: Evidence) -> Iterator[Finding]:
    """Find rows of users that are not at the version of their newest fact, and replicas of notification."""
    newest = evidence.newest_versions()
    erased = {one.key: not one.has_value for one in evidence.seen.get(USER_STATE.name, ())}
    rows = evidence.users or {}
    for user_id in sorted(rows.keys() | newest.keys()):
        if rows.get(user_id) != newest.get(user_id) and not (user_id not in rows and erased.get(user_id.encode())):
            yield Finding(f"user {user_id}: row at version {rows.get(user_id)}, newest fact {newest.get(user_id)}")
    yield from _wrong_replicas(evidence)


def lost_letters(evidence: Evidence) -> Iterator[Finding]:
    """Find records that notification holds as dead, and of which its topic has no letter."""
    letters = {one.origin for one in evidence.seen.get(DEAD_LETTERS["notification"].name, ())}
    for place in sorted(set(evidence.dead or ()) - letters):
        yield Finding(f"{place} is dead, and its topic has no letter of it")


def overtaken(evidence: Evidence) -> Iterator[Finding]:
    """Find decisions about a user's fact behind one about a newer fact."""
    facts = {event.envelope.id: event.envelope for event in evidence.events(USER_EVENTS.name)}
    newest: dict[str, int] = {}
    decisions = sorted(evidence.events(NOTIFICATION_EVENTS.name), key=lambda event: event.envelope.sequence)
    for event in decisions:
        cause = facts.get(event.envelope.causation_id or "")
        if event.envelope.type not in DECIDED or cause is None:
            continue
        if cause.version < newest.get(cause.subject, 0):
            what = f"{event.place} decides about version {cause.version} of {cause.subject}"
            yield Finding(f"{what} behind {newest[cause.subject]}", event.envelope.correlation_id)
        newest[cause.subject] = max(cause.version, newest.get(cause.subject, 0))


def _wrong_replicas(evidence: Evidence) -> Iterator[Finding]:
    newest = newest_versions(one.envelope for one in evidence.seen.get(USER_STATE.name, ()) if one.envelope)
    for user_id, version in sorted((evidence.replicas or {}).items()):
        if version != (last := newest.get(user_id, version)):
            yield Finding(f"replica of {user_id} at version {version}, its newest state {last}")


def _facts_of_one_command(evidence: Evidence) -> Iterator[Finding]:
    # A fact with a cause is an answer to an event: one command may lead to several.
    facts: dict[tuple[str, str, str], dict[str, Event]] = defaultdict(dict)
    for event in evidence.events(USER_EVENTS.name):
        envelope = event.envelope
        if envelope.causation_id is None:
            facts[envelope.correlation_id, envelope.subject, envelope.type].setdefault(envelope.id, event)
    for (command, user_id, kind), ids in facts.items():
        if len(ids) > 1:
            places = ", ".join(str(event.place) for event in ids.values())
            yield Finding(f"{places}: {kind} of {user_id} {len(ids)} times by one command", command)


def _most(kind: str, cause: Event | None) -> int:
    """Return how many effects of a kind a cause may have; the fact that caused a decision may not be on the log."""
    if kind == SENT:
        return 1
    return 2 if cause is None else MOST_DECISIONS.get(cause.envelope.type, 1)


def _effects(evidence: Evidence) -> dict[tuple[str, str], dict[str, Event]]:
    found: dict[tuple[str, str], dict[str, Event]] = defaultdict(dict)
    for event in evidence.events(NOTIFICATION_EVENTS.name):
        envelope = event.envelope
        kind = "decision" if envelope.type in DECIDED else envelope.type
        if envelope.causation_id and kind in {"decision", SENT}:
            found[kind, envelope.causation_id].setdefault(envelope.id, event)
    return found


def _undecided(evidence: Evidence) -> Iterator[Event]:
    decided = {cause for kind, cause in _effects(evidence) if kind == "decision"}
    for event in evidence.events(USER_EVENTS.name):
        if event.envelope.type in MAILED and event.envelope.id not in decided:
            yield event


def _is_audited(evidence: Evidence, place: Place) -> bool:
    return evidence.entries is None or place in evidence.entries


def _not_audited(evidence: Evidence) -> Iterator[Seen]:
    for topic in EVENT_TOPICS:
        for one in evidence.seen.get(topic.name, ()):
            if not _is_audited(evidence, one.place):
                yield one


CHECKS = (
    Check(
        "duplicate",
        "one cause with two effects: facts, decisions, outcomes or mails",
        "one event at two offsets, and one Message-ID twice: repeats after a fault",
        duplicates,
    ),
    Check("poll skip", "an effect is missing in one group", "records that are held: `console held list`", poll_skips),
    Check("unseen", "a fact that no group shows", "what came within the last minute", unseen, ("entries",)),
    Check(
        "inconsistent offsets",
        "an audit entry is not the broker's record",
        "entries of records that retention or compaction has removed",
        inconsistent_offsets,
        ("entries", "ends"),
    ),
    Check(
        "wrong projection", "a user's row is not the fold of its facts", "rows of erased users", wrong_rows, ("users",)
    ),
    Check("lost letter", "a dead record without a letter", "nothing", lost_letters, ("dead",)),
    Check(
        "nonmonotonic poll",
        "a decision behind one about a newer fact of its user",
        "dead records that an operator retries",
        overtaken,
    ),
)
