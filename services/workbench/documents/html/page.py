"""The page of topics and events, for a reader who knows neither: one file that needs no other and no network."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from services.contracts.catalog import CHECKPOINT_TYPE, DAY_MS, TOPICS, TYPES, Pattern, Topic
from services.contracts.shapes import versions_of, written_version
from services.workbench.documents.asyncapi import ABOUT, CUT, HEADERS, OPTIONAL, ORIGIN, PATTERNS, RULES, summary_of
from services.workbench.documents.goldens import golden, headers_of
from services.workbench.documents.html.flow import flow
from services.workbench.documents.schemas import Schema, schemas

COLOURS = {
    Pattern.EVENT_SOURCING: "facts",
    Pattern.DOMAIN_EVENTS: "events",
    Pattern.STATE_TRANSFER: "state",
    Pattern.NOTIFICATION: "notice",
    Pattern.DEAD_LETTERS: "dead",
    Pattern.OPERATIONS: "operations",
    Pattern.CHECKPOINTS: "checkpoints",
}
PLACES = {Pattern.DEAD_LETTERS: "dead-letters", Pattern.CHECKPOINTS: "checkpoints"}  # of topics without types
TOKEN = re.compile(r'(?P<text>"(?:[^"\\]|\\.)*")(?P<name>:)?|(?P<word>\btrue\b|\bfalse\b|\bnull\b|-?\b\d+(?:\.\d+)?\b)')


class Field(NamedTuple):
    """A field of a type, by its path: `personal.email`."""

    path: str
    type: str
    presence: str


class Kind(NamedTuple):
    """A type with all that the page shows of it: the version that is published, and links to all that are read."""

    name: str
    schemas: dict[str, str]
    summary: str
    topic: Topic
    fields: list[Field]
    headers: dict[str, str]
    value: Markup


def page() -> str:
    """Return the page as HTML."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters |= {"kept": kept, "code": code}
    return environment.get_template("page.html").render(
        about=ABOUT,
        checkpoint_type=CHECKPOINT_TYPE,
        colours=COLOURS,
        flow=flow(TOPICS, COLOURS),
        headers=HEADERS,
        kinds=kinds(),
        optional=OPTIONAL,
        origin=ORIGIN | CUT,
        patterns=PATTERNS,
        places=PLACES,
        rules=RULES,
        topics=TOPICS,
    )


def kinds() -> list[Kind]:
    """Return every type in the order of the topics."""
    shapes = schemas()
    return [_kind(topic, name, shapes) for topic in TOPICS for name in topic.types]


def kept(topic: Topic) -> str:
    """Return what a topic keeps of its records, as its policy has it."""
    if topic.cleanup == "compact":
        return "newest of each key"
    return "for ever" if topic.retention_ms < 0 else f"{topic.retention_ms // DAY_MS} days"


def code(text: str) -> Markup:
    """Return a text as HTML; parts between backticks are code."""
    parts = (f"<code>{escape(part)}</code>" if odd % 2 else escape(part) for odd, part in enumerate(text.split("`")))
    return Markup("").join(Markup(part) for part in parts)  # noqa: S704  # each part was escaped


def fields_of(schema: Schema) -> Iterator[Field]:
    """Return the fields of a type, those of nested structs in their place."""
    return _fields("", schema, schema.get("$defs", {}))


def _fields(before: str, schema: Schema, defined: Schema) -> Iterator[Field]:
    shape = _resolved(schema, defined)
    for name, field in shape["properties"].items():
        inner = _resolved(field, defined)
        if "properties" in inner:
            yield from _fields(f"{before}{name}.", inner, defined)
        else:
            yield Field(f"{before}{name}", _type(inner, defined), _presence(name, field, shape))


def _resolved(schema: Schema, defined: Schema) -> Schema:
    while "$ref" in schema:
        schema = defined[schema["$ref"].rpartition("/")[2]]
    return schema


def _type(field: Schema, defined: Schema) -> str:
    """Return a field's type; alternatives, such as null beside a type, are separated by a bar."""
    if "anyOf" in field:
        return " | ".join(_type(_resolved(one, defined), defined) for one in field["anyOf"])
    return " | ".join(field["enum"]) if "enum" in field else str(field.get("type", "any"))


def _presence(name: str, field: Schema, shape: Schema) -> str:
    if name in shape.get("required", ()):
        return "required"
    return f"default {msgspec.json.encode(field.get('default')).decode()}"


def _kind(topic: Topic, name: str, shapes: dict[str, Schema]) -> Kind:
    published = written_version(TYPES[name])
    versions = sorted(versions_of(TYPES[name]), key=lambda number: (number != published, -number))
    links = {shapes[f"{name}.{number}"]["$id"]: f"schemas/{name}.{number}.json" for number in versions}
    fields = list(fields_of(shapes[f"{name}.{published}"]))
    value = msgspec.json.format(golden(name).value, indent=2).decode()
    return Kind(name, links, summary_of(name), topic, fields, headers_of(name), _coloured(value))


def _coloured(json: str) -> Markup:
    pieces, at = [], 0
    for found in TOKEN.finditer(json):
        kind = "w" if found["word"] else "k" if found["name"] else "s"
        pieces += [escape(json[at : found.start()]), Markup('<b class="{}">{}</b>').format(kind, found[0].rstrip(":"))]
        pieces.append(escape(found["name"] or ""))
        at = found.end()
    return Markup("").join([*pieces, escape(json[at:])])
