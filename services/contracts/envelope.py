"""The envelope of every record: CloudEvents 1.0 in Kafka's binary content mode, the mode that we write.

Knows attribute names and their text forms; knows no event by name and no Kafka client. `structured.py` reads the
other mode. Source: CloudEvents 1.0.2 and its Kafka binding, section 3.2; W3C Trace Context for `traceparent`.
"""

import functools
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime

import msgspec

Headers = list[tuple[str, bytes | None]]

SPEC_VERSION = b"1.0"
CONTENT_TYPE = b"application/json"
STRUCTURED = b"application/cloudevents"  # the content-type prefix of structured mode
TEXTS = ("ce_id", "ce_source", "ce_type", "ce_subject", "ce_dataschema", "ce_correlationid")
NUMBERS = ("ce_sequence", "ce_subjectversion")
OPTIONAL = ("ce_causationid", "traceparent", "ce_actor")
SOURCE, TYPE, SCHEMA = 2, 3, 6  # where `to_headers` puts them
LONGEST_TEXT = 64  # the width of the readers' columns
LONGEST_ACTOR = 256  # bytes: a subject of another system, which may be a mail address or a URL
# Ids are copied into mail headers, log lines, URLs and SQL: no character has a meaning in any of them.
ID = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
# W3C Trace Context, section 3.2.2; later versions than 00 start with the same four parts and may add more.
_TRACE_IDS = "((?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2})"
TRACEPARENT = re.compile(rf"00-{_TRACE_IDS}|(?!00|ff)[0-9a-f]{{2}}-{_TRACE_IDS}(?:-.*)?")
LARGEST_RECORD = 1024 * 1024  # a topic's limit on a batch, and so on a record with key, headers and framing
DEAD_LETTER_HEADERS = 64 * 1024  # the limit of the headers that a dead letter adds to the original
LARGEST_SEQUENCE = 2**63 - 1
LARGEST_VERSION = 2**31 - 1
SEQUENCE_DIGITS = 20  # CloudEvents compares `sequence` as text, so it is padded to the widest 64-bit number


class EnvelopeError(ValueError):
    """A record's headers are not a CloudEvents envelope; the message names the header and what is wrong."""


class StructuredModeError(EnvelopeError):
    """The attributes are in the record's value, not in its headers."""


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """The context attributes of one event.

    `sequence` is the publisher's gapless number, `version` the subject's (from 1), `time` is UTC.
    `causation_id` is the id of the event that led to this one, absent at a root. `actor` is the caller who asked for
    what led to this event, absent if nobody was authenticated.
    """

    id: str
    source: str
    type: str
    subject: str
    time: datetime
    schema: str
    sequence: int
    version: int
    correlation_id: str
    causation_id: str | None = None
    traceparent: str | None = None
    actor: str | None = None


@functools.lru_cache(maxsize=1024)
def schema_of(event_type: str, shape_version: int = 1) -> str:
    """Return the absolute `dataschema` URI of a type: `urn:eventline:user.registered:1`."""
    return f"urn:eventline:{event_type}:{shape_version}"


def version_of(schema: str) -> int:
    """Return the version that such a URI names."""
    return int(schema.rpartition(":")[2])


def to_text(moment: datetime) -> str:
    """Return RFC 3339 in UTC with microseconds: `2026-11-22T12:00:00.000000Z`."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def to_headers(envelope: Envelope) -> Headers:
    """Return the record headers of an event, in a fixed order."""
    source, kind, schema = _origin(envelope.source, envelope.type, envelope.schema)
    headers: Headers = [
        ("ce_specversion", SPEC_VERSION),
        ("ce_id", envelope.id.encode()),
        source,
        kind,
        ("ce_subject", envelope.subject.encode()),
        ("ce_time", to_text(envelope.time).encode()),
        schema,
        ("ce_sequence", b"%0*d" % (SEQUENCE_DIGITS, envelope.sequence)),
        ("ce_subjectversion", b"%d" % envelope.version),
        ("ce_correlationid", envelope.correlation_id.encode()),
        ("content-type", CONTENT_TYPE),
    ]
    if envelope.causation_id is not None:
        headers.append(("ce_causationid", envelope.causation_id.encode()))
    if envelope.traceparent is not None:
        headers.append(("traceparent", envelope.traceparent.encode()))
    if envelope.actor is not None:
        headers.append(("ce_actor", envelope.actor.encode()))
    return headers


def to_headers_of(headers: Headers, source: str, event_type: str) -> Headers:
    """Return the headers of another record of the same event: source, type and schema differ, the rest is shared."""
    other = headers.copy()
    other[SOURCE], other[TYPE], other[SCHEMA] = _origin(source, event_type, schema_of(event_type))
    return other


def correlation_of(given: str, event_id: str) -> str:
    """Return the given correlation id; the event's id if it has other characters, which earlier versions accepted."""
    return given if ID.fullmatch(given) else event_id


def actor_of(name: str) -> str | None:
    """Return a name as an actor; None if it is empty, not printable, or longer than LONGEST_ACTOR."""
    return name if name.isprintable() and 0 < len(name.encode(errors="replace")) <= LONGEST_ACTOR else None


def traceparent_of(text: str) -> str | None:
    """Return a trace context as version 00; None if the text is not one: such a context is ignored (section 3.2)."""
    found = TRACEPARENT.fullmatch(text)
    return f"00-{found[1] or found[2]}" if found else None


def from_headers(headers: Iterable[tuple[str, bytes | None]]) -> Envelope:
    """Return the envelope that record headers carry, ignoring headers it does not know.

    Raises EnvelopeError for a required attribute that is missing, null, repeated or not of its form, and
    StructuredModeError for a record in structured content mode.
    """
    pairs = headers if isinstance(headers, list) else list(headers)
    found = dict(pairs)
    if len(found) != len(pairs):
        _refuse_repeats(pairs)
    if found.get("content-type") != CONTENT_TYPE:
        _refuse_structured(found.get("content-type"))
    return from_attributes(found)


def from_attributes(found: Mapping[str, bytes | None]) -> Envelope:
    """Return the envelope of attributes under their names as headers. Raises EnvelopeError."""
    if (spec := found.get("ce_specversion")) != SPEC_VERSION:
        raise EnvelopeError(f"header ce_specversion is {spec!r:.100}, expected {SPEC_VERSION!r}")
    try:
        return _read(found)
    except (KeyError, AttributeError, ValueError):
        raise EnvelopeError(_worst(found)) from None


def _read(found: Mapping[str, bytes | None]) -> Envelope:
    # Attribute access on a null header raises AttributeError: one try in the caller covers the hot path.
    event_id = _id(found["ce_id"])
    return Envelope(
        id=event_id,
        source=_known(found["ce_source"]),
        type=_known(found["ce_type"]),
        subject=_text(found["ce_subject"]),
        time=_time(found["ce_time"]),
        schema=_known(found["ce_dataschema"]),
        sequence=_natural(found["ce_sequence"], LARGEST_SEQUENCE),
        version=_natural(found["ce_subjectversion"], LARGEST_VERSION),
        correlation_id=correlation_of(_text(found["ce_correlationid"]), event_id),
        causation_id=None if (cause := found.get("ce_causationid")) is None else _cause(cause),
        traceparent=None
        if (context := found.get("traceparent")) is None
        else traceparent_of(context.decode(errors="replace")),
        actor=None if (name := found.get("ce_actor")) is None else _actor(name),
    )


def _text(value: bytes | None) -> str:
    text = value.decode()  # type: ignore[union-attr]  # null is caught by the caller
    if not 0 < len(text) <= LONGEST_TEXT or not text.isprintable():
        raise ValueError(f"not 1 to {LONGEST_TEXT} printable characters")
    return text


def _id(value: bytes | None) -> str:
    text = value.decode()  # type: ignore[union-attr]  # as above
    if not ID.fullmatch(text):
        raise ValueError(f"not 1 to {LONGEST_TEXT} letters, digits and -_.:")
    return text


def _cause(value: bytes) -> str | None:
    # A link of another form is dropped, not its record: earlier versions wrote such ids, and restore reads them.
    text = value.decode(errors="replace")
    return text if ID.fullmatch(text) else None


@functools.lru_cache(maxsize=1024)
def _actor(value: bytes) -> str | None:
    # A name of another form is dropped, as a cause is: it must not cost the record.
    try:
        return actor_of(value.decode())
    except UnicodeDecodeError:
        return None


@functools.lru_cache(maxsize=1024)
def _origin(source: str, event_type: str, schema: str) -> Headers:
    texts = {"ce_source": source, "ce_type": event_type, "ce_dataschema": schema}
    return [(name, text.encode()) for name, text in texts.items()]


@functools.lru_cache(maxsize=1024)  # sources, types and schemas have few distinct values
def _known(value: bytes | None) -> str:
    return _text(value)


def _natural(value: bytes | None, most: int) -> int:
    if not value.isdigit() or not 1 <= (number := int(value)) <= most:  # type: ignore[union-attr, arg-type]  # as above
        raise ValueError(f"not a number from 1 to {most}")
    return number


def _time(value: bytes | None) -> datetime:
    moment = datetime.fromisoformat(value.decode())  # type: ignore[union-attr]  # as above
    if moment.tzinfo is None:
        raise ValueError("a time without a zone")
    return moment if moment.tzinfo is UTC else _in_utc(moment)


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("a time outside the years 1 to 9999 in UTC") from None


def _refuse_repeats(pairs: Headers) -> None:
    names = [name for name, _ in pairs if name.startswith("ce_") or name == "content-type"]
    for name in names:
        if names.count(name) > 1:
            raise EnvelopeError(f"header {name} is repeated")


def _refuse_structured(content_type: bytes | None) -> None:
    # Section 3: the content type tells the modes apart, regardless of `ce_` headers.
    if content_type is not None and content_type.lower().startswith(STRUCTURED):
        raise StructuredModeError(f"header content-type is {content_type!r:.100}: the attributes are not in headers")


def _worst(found: Mapping[str, bytes | None]) -> str:
    # Read again one by one, off the hot path, so that the message names the header.
    forms: dict[str, Callable[[bytes | None], object]] = {
        **dict.fromkeys(TEXTS, _text),
        "ce_id": _id,
        "ce_time": _time,
        "ce_sequence": lambda value: _natural(value, LARGEST_SEQUENCE),
        "ce_subjectversion": lambda value: _natural(value, LARGEST_VERSION),
    }
    for name, read in forms.items():
        try:
            read(found[name])
        except KeyError:
            return f"header {name} is missing"
        except AttributeError:
            return f"header {name} is null"
        except ValueError as error:
            return f"header {name} is {found[name]!r:.100}: {error!s:.100}"
    raise AssertionError("every header is of its form")
