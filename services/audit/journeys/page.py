"""The pages of a journey: lanes of topics over time, the causal tree, and each record as it was on the wire.

One file without a script: a dot of the picture is a link, and CSS shows the record that the address names.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from services.audit.journeys.journey import TOPIC_ORDER, Journey, JourneyEvent, JourneyRecord
from services.contracts import catalog

STEP, LANE, LEFT, TOP = 100, 74, 6, 34  # pixels: between records, between lanes, room at the left, room for times
MILLISECONDS, SECONDS = 1000, 60
KINDS = {
    catalog.Pattern.EVENT_SOURCING: "facts",
    catalog.Pattern.DOMAIN_EVENTS: "events",
    catalog.Pattern.STATE_TRANSFER: "state",
    catalog.Pattern.NOTIFICATION: "notice",
    catalog.Pattern.DEAD_LETTERS: "dead",
    catalog.Pattern.OPERATIONS: "operations",
}
TOPICS = {topic.name: topic for topic in catalog.TOPICS}

_templates = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined)


class Dot(NamedTuple):
    """A record in the picture. `after` is the time from the first event to the record's writing to its topic."""

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
    start = _start(journey)
    dots = _dots(journey, {lane.topic: lane for lane in lanes}, start)
    return _templates.get_template("journey.html").render(
        journey=journey,
        start=datetime.fromtimestamp(start / MILLISECONDS, UTC),
        summary=_summary(journey, dots),
        users=list(dict.fromkeys(event.subject for event in journey.events if event.subject)),
        dots=dots,
        lanes=lanes,
        lines=_lines(dots),
        step=STEP,
        width=LEFT + STEP * len(dots) + 20,
        height=TOP + LANE * len(lanes),
        personal=personal,
        pretty=_pretty,
        after={event.id: _after(_milliseconds(event) - start) for event in journey.events},
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


def _start(journey: Journey) -> float:
    """Return the time of the first event in milliseconds since 1970."""
    return min(_milliseconds(event) for event in journey.events)


def _after(milliseconds: float) -> str:
    return f"{'-' if milliseconds <= -1 else '+'}{duration(abs(milliseconds))}"


def _summary(journey: Journey, dots: Sequence[Dot]) -> str:
    """Return the journey in numbers: `7 records on 5 topics within 2.6 s, 1 dead letter, 1 mail sent`."""
    states = Counter(f"mail {mail.state}" for mail in journey.mails)
    states["record published again"] = sum(dot.record.repeat for dot in dots)
    states["dead letter"] = sum(dot.record.refused is not None for dot in dots)
    topics = _counted(len({dot.record.topic for dot in dots}), "topic")
    first = f"{_counted(len(dots), 'record')} on {topics}, the last after {dots[-1].after.lstrip('+')}"
    return ", ".join([first, *(_counted(number, what) for what, number in states.items() if number)])


def _counted(number: int, what: str) -> str:
    noun, _, rest = what.partition(" ") if what != "dead letter" else (what, "", "")
    return f"{number} {noun}{'' if number == 1 else 's'} {rest}".rstrip()


def _dots(journey: Journey, lanes: Mapping[str, Lane], start: float) -> list[Dot]:
    """Return the records in the order in which they were written to their topics."""
    records = [(event, record) for event in journey.events for record in event.records]
    records.sort(key=lambda pair: (pair[1].timestamp_ms, lanes[pair[1].topic].y, pair[1].position))
    return [
        Dot(
            x=LEFT + STEP * number + STEP // 2,
            y=lanes[record.topic].y,
            kind=lanes[record.topic].kind,
            event=event,
            record=record,
            after=_after(record.timestamp_ms - start),
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
    return Lane(y, name, ", ".join(topic.publishers), topic.pattern.value, KINDS[topic.pattern])


def _lines(dots: Sequence[Dot]) -> list[tuple[Dot, Dot]]:
    """Return pairs to join: an event's first record with its others, and each cause with its effect.

    A dead letter is joined with the record that it refuses. The notification service reads notices, so the lines to its
    events begin there.
    """
    places = {dot.record.place: dot for dot in dots}
    by_event: dict[str, list[Dot]] = {}
    for dot in sorted(dots, key=lambda dot: (dot.record.refused is not None, dot.y, dot.record.position)):
        by_event.setdefault(dot.event.id, []).append(dot)
    inner = [
        (places.get(other.record.refused or "", members[0]), other)
        for members in by_event.values()
        for other in members[1:]
    ]
    return inner + [
        (_last_topic(by_event[members[0].event.caused_by]), members[0])
        for members in by_event.values()
        if members[0].event.caused_by in by_event
    ]


def _last_topic(members: Sequence[Dot]) -> Dot:
    """Return an event's first record on the last topic that is not one of dead letters."""
    whole = [dot for dot in members if dot.record.refused is None] or members
    return next(dot for dot in whole if dot.y == whole[-1].y)


def _pretty(record: JourneyRecord) -> str:
    if record.value is None:
        return "(tombstone: the key is deleted)"
    try:
        return msgspec.json.format(record.value, indent=2)
    except msgspec.DecodeError:
        return record.value
