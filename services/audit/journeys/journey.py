"""The causal tree of a command's events, built from the entries of the audit log. Pure.

Fact, state and notice of one change share their `ce_id`: they are records of one event. An event's parent is the event
that its `ce_causationid` names (CloudEvents has no such attribute; the name is common usage).
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

import msgspec

from services.audit.domain import Entry, LargeValue
from services.audit.journeys.facts import notification_fact
from services.audit.masking import json_text, masked_text, text_headers
from services.chassis.messages.clock import from_micros
from services.contracts import catalog
from services.contracts.envelope import to_text
from services.contracts.notification import (
    MAILED,
    NotificationFailed,
    NotificationQueued,
    NotificationSent,
    NotificationSuppressed,
)

TOPIC_ORDER = {topic.name: number for number, topic in enumerate(catalog.TOPICS)}
TOPICS = {topic.name: topic for topic in catalog.TOPICS}
SHARED = (catalog.USER_EVENTS.name, catalog.USER_STATE.name, catalog.USER_NOTICES.name)  # a change is on each of them
LONGEST_VALUE = 4096  # characters that are shown


class JourneyRecord(msgspec.Struct, kw_only=True):
    """A record as it was on the wire. Personal data is masked unless it was asked for.

    `repeat` is true for a record that was published again. `reason` and `detail` are those of a dead letter, which
    `refused` points to: `topic[partition]@offset`. Times are RFC 3339.
    """

    topic: str
    partition: int
    offset: int
    position: int
    type: str | None
    timestamp_ms: int
    recorded_at: str
    key: str | None
    headers: list[list[str | None]]  # a tuple would have a schema that OpenAPI's linter refuses
    value: str | None
    repeat: bool = False
    refused: str | None = None
    reason: str | None = None
    detail: str | None = None

    @property
    def place(self) -> str:
        """The record's place: `topic[partition]@offset`."""
        return f"{self.topic}[{self.partition}]@{self.offset}"


class JourneyEvent(msgspec.Struct, kw_only=True):
    """One event with its records and dead letters. `depth` counts the causes above it, `caused_by` is the nearest.

    `actor` is the caller whose command led to it, null if nobody was authenticated.
    """

    id: str
    type: str
    publisher: str
    subject: str | None
    version: int | None
    time: str | None
    actor: str | None
    caused_by: str | None
    depth: int
    records: list[JourneyRecord]


class JourneyMail(msgspec.Struct, kw_only=True):
    """A mail of the journey: queued, suppressed, sent or failed."""

    notification_id: str
    template: str
    state: str
    message_id: str | None = None
    reason: str | None = None


class Journey(msgspec.Struct, kw_only=True):
    """Everything that one command led to: events in causal order, depth first, and what is still missing."""

    correlation_id: str
    events: list[JourneyEvent]
    mails: list[JourneyMail]
    missing: list[str]


def journey(correlation_id: str, entries: Sequence[Entry], *, personal: bool) -> Journey:
    """Return the journey of the entries that share a correlation id."""
    events = _events(entries, personal=personal)
    ordered = list(_in_causal_order(events))
    mails = _mails(entries)
    return Journey(correlation_id=correlation_id, events=ordered, mails=mails, missing=[*_missing(events, mails)])


def _events(entries: Sequence[Entry], *, personal: bool) -> dict[str, JourneyEvent]:
    grouped: defaultdict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        grouped[dict(text_headers(entry, personal=True)).get("ce_id") or entry.place].append(entry)
    return {event_id: _event(event_id, members, personal=personal) for event_id, members in grouped.items()}


def _event(event_id: str, members: list[Entry], *, personal: bool) -> JourneyEvent:
    members.sort(key=lambda entry: (TOPIC_ORDER.get(entry.topic, len(TOPIC_ORDER)), entry.position))
    first, headers = members[0], dict(text_headers(members[0], personal=True))
    records = [_record(entry, personal=personal) for entry in members]
    for (earlier, before), (entry, record) in pairwise(zip(members, records, strict=True)):
        record.repeat = (record.topic, record.refused, entry.value) == (before.topic, before.refused, earlier.value)
    version = headers.get("ce_subjectversion") or ""
    return JourneyEvent(
        id=event_id,
        type=first.type or "unknown",
        publisher=_publisher(headers.get("dlq_topic") or first.topic, headers.get("ce_source")),
        subject=first.subject,
        version=int(version) if version.isdigit() else None,
        time=None if first.event_time is None else to_text(from_micros(first.event_time)),
        actor=first.actor if personal else masked_text(first.actor),
        caused_by=headers.get("ce_causationid"),
        depth=0,
        records=records,
    )


def _publisher(topic: str, source: str | None) -> str:
    found = TOPICS.get(topic)
    if found is None or len(found.publishers) == 1:
        return found.publishers[0] if found else "unknown"
    return dict(zip(found.sources, found.publishers, strict=True)).get(source or "", "unknown")


def _record(entry: Entry, *, personal: bool) -> JourneyRecord:
    headers = text_headers(entry, personal=personal)
    found = dict(headers)
    letter = "dlq_topic" in found
    return JourneyRecord(
        topic=entry.topic,
        partition=entry.partition,
        offset=entry.offset,
        position=entry.position,
        type=entry.type,
        timestamp_ms=entry.ts_ms,
        recorded_at=to_text(from_micros(entry.recorded_at)),
        key=None if entry.key is None else entry.key.decode(errors="backslashreplace"),
        headers=[list(header) for header in headers],
        value=_shown(entry.value, personal=personal),
        refused="{dlq_topic}[{dlq_partition}]@{dlq_offset}".format_map(defaultdict(str, found)) if letter else None,
        reason=found.get("dlq_reason"),
        detail=found.get("dlq_detail") if letter else None,
    )


def _shown(value: bytes | LargeValue | None, *, personal: bool) -> str | None:
    if value is None or isinstance(value, LargeValue):
        return None if value is None else f"({value.size} bytes)"
    text = json_text(value, personal=personal)
    if text is None:
        return value[:LONGEST_VALUE].decode(errors="backslashreplace") if personal else f"({len(value)} bytes, no JSON)"
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}… ({len(value)} bytes)"


def _in_causal_order(events: dict[str, JourneyEvent]) -> Iterator[JourneyEvent]:
    """Yield events depth first, brothers by time; an event whose cause is not here counts as a root."""
    children: defaultdict[str | None, list[JourneyEvent]] = defaultdict(list)
    for event in sorted(events.values(), key=lambda event: (event.time or "", event.records[0].position)):
        children[event.caused_by if event.caused_by in events else None].append(event)
    waiting = [(event, 0) for event in reversed(children.pop(None, []))]
    while waiting:
        event, event.depth = waiting.pop()
        yield event
        waiting += [(child, event.depth + 1) for child in reversed(children.pop(event.id, []))]
    for circle in children.values():  # events that name each other as their cause
        yield from circle


def _mails(entries: Iterable[Entry]) -> list[JourneyMail]:
    mails: dict[str, JourneyMail] = {}
    for entry in entries:
        fact = notification_fact(entry.topic, entry.headers, entry.value)
        if fact is None:
            continue
        mail = mails.setdefault(
            fact.notification_id, JourneyMail(notification_id=fact.notification_id, template="unknown", state="queued")
        )
        match fact:
            case NotificationQueued():
                mail.template = fact.template
            case NotificationSuppressed():
                mail.template, mail.state, mail.reason = fact.template, "suppressed", fact.reason
            case NotificationSent():
                mail.state, mail.message_id = "sent", fact.message_id
            case NotificationFailed():
                mail.state, mail.reason = "failed", masked_text(fact.reason)
    return list(mails.values())


def _missing(events: dict[str, JourneyEvent], mails: Sequence[JourneyMail]) -> Iterator[str]:
    causes = {event.caused_by for event in events.values() if event.publisher == "notification"}
    for event in events.values():
        topics = {record.topic for record in event.records}
        if not topics.isdisjoint(SHARED):
            yield from (f"{event.type}: no record on {topic} yet" for topic in SHARED if topic not in topics)
            if event.type in MAILED and event.id not in causes:
                yield f"{event.type}: the notification service has not decided about a mail yet"
        if event.caused_by is not None and event.caused_by not in events:
            yield f"{event.type}: its cause {event.caused_by} is not in the audit log"
    yield from (
        f"mail {mail.template} {mail.notification_id}: queued, not yet sent" for mail in mails if mail.state == "queued"
    )
