"""The pages of a journey: lanes of topics over time, the causal tree, and each record as it was on the wire.

One file without a script: a dot of the picture is a link, and CSS shows the record that the address names.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from services.audit.journeys.journey import TOPIC_ORDER, Journey, JourneyEvent, JourneyRecord
from services.contracts import catalog

STEP, LANE, LEFT, TOP = 104, 66, 250, 30  # pixels: between records, between lanes, room for names, room for times
MILLISECONDS, SECONDS = 1000, 60
KINDS = {
    catalog.Pattern.EVENT_SOURCING: "facts",
    catalog.Pattern.DOMAIN_EVENTS: "events",
    catalog.Pattern.STATE_TRANSFER: "state",
    catalog.Pattern.NOTIFICATION: "notice",
    catalog.Pattern.DEAD_LETTERS: "dead",
}
TOPICS = {topic.name: topic for topic in catalog.TOPICS}

_templates = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined)


class Dot(NamedTuple):
    """A record in the picture."""

    x: int
    y: int
    kind: str
    event: JourneyEvent
    record: JourneyRecord
    after: str
    label: str


class Lane(NamedTuple):
    """A topic in the picture."""

    y: int
    topic: str
    publisher: str
    pattern: str
    kind: str


def journey_page(journey: Journey, *, personal: bool) -> str:
    """Return the page of a journey."""
    lanes = _lanes(journey)
    dots = _dots(journey, {lane.topic: lane for lane in lanes})
    return _templates.get_template("journey.html").render(
        journey=journey,
        dots=dots,
        lanes=lanes,
        lines=_lines(dots),
        width=LEFT + STEP * len(dots) + 20,
        height=TOP + LANE * len(lanes),
        personal=personal,
        pretty=_pretty,
        after={dot.event.id: dot.after for dot in reversed(dots)},
    )


def choices_page(user_id: str, choices: Sequence[object]) -> str:
    """Return the page that lists a user's commands."""
    return _templates.get_template("choices.html").render(user_id=user_id, choices=choices)


def unknown_page(wanted: str, explanation: str) -> str:
    """Return the page for an id that nothing has."""
    return _templates.get_template("unknown.html").render(wanted=wanted, explanation=explanation)


def duration(milliseconds: float) -> str:
    """Return a short text: `12 ms`, `1.3 s`, `2 min 5 s`."""
    if abs(milliseconds) < MILLISECONDS:
        return f"{milliseconds:.0f} ms"
    seconds = milliseconds / MILLISECONDS
    return f"{seconds:.1f} s" if abs(seconds) < SECONDS else f"{seconds // SECONDS:.0f} min {seconds % SECONDS:.0f} s"


def _dots(journey: Journey, lanes: Mapping[str, Lane]) -> list[Dot]:
    """Return the records in the order in which they reached their topics."""
    records = [(event, record) for event in journey.events for record in event.records]
    moments = {record.position: _milliseconds(event) for event, record in records}
    records.sort(key=lambda pair: (moments[pair[1].position], pair[1].position))
    start = moments[records[0][1].position]
    return [
        Dot(
            x=LEFT + STEP * number + STEP // 2,
            y=lanes[record.topic].y,
            kind=lanes[record.topic].kind,
            event=event,
            record=record,
            after=f"+{duration(moments[record.position] - start)}",
            label="dead letter" if record.refused else (record.type or "no event").rpartition(".")[2].replace("_", " "),
        )
        for number, (event, record) in enumerate(records)
    ]


def _milliseconds(event: JourneyEvent) -> float:
    if event.time is None:
        return float(event.records[0].timestamp_ms)
    return datetime.fromisoformat(event.time).astimezone(UTC).timestamp() * MILLISECONDS


def _lanes(journey: Journey) -> list[Lane]:
    names = {record.topic for event in journey.events for record in event.records}
    ordered = sorted(names, key=lambda name: (TOPIC_ORDER.get(name, len(TOPIC_ORDER)), name))
    return [_lane(TOP + LANE * number + LANE // 2, name) for number, name in enumerate(ordered)]


def _lane(y: int, name: str) -> Lane:
    topic = TOPICS.get(name)
    if topic is None:
        return Lane(y, name, "unknown", "not in the catalog", "dead")
    return Lane(y, name, topic.publisher, topic.pattern.value, KINDS[topic.pattern])


def _lines(dots: Sequence[Dot]) -> list[tuple[Dot, Dot]]:
    """Return pairs to join: an event's first record with its others, and a cause's last record with the effect's first.

    A notice is what the notification service reads, so it is the last of a change's records.
    """
    by_event: dict[str, list[Dot]] = {}
    for dot in dots:
        by_event.setdefault(dot.event.id, []).append(dot)
    inner = [(members[0], other) for members in by_event.values() for other in members[1:]]
    return inner + [
        (by_event[members[0].event.caused_by][-1], members[0])
        for members in by_event.values()
        if members[0].event.caused_by in by_event
    ]


def _pretty(record: JourneyRecord) -> str:
    if record.value is None:
        return "(tombstone: the key is deleted)"
    try:
        return msgspec.json.format(record.value, indent=2)
    except msgspec.DecodeError:
        return record.value
