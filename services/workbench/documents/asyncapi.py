"""The AsyncAPI 3 document, out of the catalog: topics are channels, types messages, publishing and reading operations.

Payloads are the structs' schemas, headers the envelope's, examples the golden records.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from services.contracts import catalog
from services.contracts.catalog import TOPICS, TYPES, Pattern, Rule, Topic
from services.contracts.envelope import ID, LONGEST_ACTOR, schema_of
from services.contracts.shapes import versions_of
from services.workbench.documents.goldens import golden, headers_of
from services.workbench.documents.schemas import unindented

Node = dict[str, Any]
BINDING = {"bindingVersion": "0.5.0"}
TEXT: Node = {"type": "string", "minLength": 1, "maxLength": 64}
ID_TEXT = TEXT | {"pattern": f"^{ID.pattern}$"}
PATTERNS = {
    Pattern.DOMAIN_EVENTS: "The work of a service as facts with their data, kept for a time: no source of truth.",
    Pattern.EVENT_SOURCING: "The facts, one record for each thing that happened, in order per key.",
    Pattern.STATE_TRANSFER: "The whole record after each fact: a reader builds its own copy and asks nobody.",
    Pattern.NOTIFICATION: "That something happened, and to whom; nothing else. The state has the rest.",
    Pattern.DEAD_LETTERS: "Records that a consumer group can never apply, byte for byte, with origin and reason.",
    Pattern.OPERATIONS: "Actions of operators with the tools of a service: who, what, why and how many.",
    Pattern.CHECKPOINTS: "Signed roots of the audit log, which tools of others can verify. They are no events.",
}
RULES = {
    Rule.CONTIGUOUS: "A key's versions rise by one, from 1. A gap is an error.",
    Rule.NEWEST: "The higher version wins. Holes are normal: compaction makes them.",
    Rule.ONCE: "A record is unique by ce_source and ce_id. One that comes again is a repeat.",
}
HEADERS: dict[str, Node] = {
    "ce_specversion": {"const": "1.0", "description": "The version of CloudEvents."},
    "ce_id": ID_TEXT
    | {"description": "UUIDv7. Fact, state and notice of one change share it; a republish repeats it."},
    "ce_source": TEXT | {"description": "The stream of the event; with ce_id it is unique."},
    "ce_type": TEXT | {"description": "The type, which alone decides the shape of the data."},
    "ce_subject": TEXT | {"description": "The user's id, or the tool that an operator used; the record's key."},
    "ce_time": {"type": "string", "format": "date-time", "description": "When it was committed, in UTC."},
    "ce_dataschema": TEXT | {"description": "The shape with its version: the $id of its JSON Schema."},
    "ce_sequence": {"type": "string", "pattern": "^[0-9]{20}$", "description": "The publisher's number, gapless."},
    "ce_subjectversion": {
        "type": "string",
        "pattern": "^[1-9][0-9]*$",
        "description": "The subject's version, from 1.",
    },
    "ce_correlationid": ID_TEXT | {"description": "Shared by everything that one command led to."},
    "content-type": {"const": "application/json", "description": "The media type of the value."},
    "ce_causationid": ID_TEXT | {"description": "The ce_id of the event that led to this one; absent at a root."},
    "traceparent": {"type": "string", "description": "W3C Trace Context, where the command had one."},
    "ce_actor": {
        "type": "string",
        "minLength": 1,
        "maxLength": LONGEST_ACTOR,
        "description": "The caller whose command led to the event; absent if nobody was authenticated.",
    },
}
OPTIONAL = ("ce_causationid", "traceparent", "ce_actor")
ORIGIN: dict[str, Node] = {
    "dlq_topic": {"type": "string", "description": "Where the record stood: its topic."},
    "dlq_topic_id": {"type": "string", "description": "The id of that topic, in Kafka's own spelling."},
    "dlq_partition": {"type": "string", "pattern": "^[0-9]+$", "description": "Its partition."},
    "dlq_offset": {"type": "string", "pattern": "^[0-9]+$", "description": "Its offset."},
    "dlq_timestamp": {
        "type": "string",
        "pattern": "^-?[0-9]+$",
        "description": "Its own timestamp, in milliseconds since 1970; that of the dead letter is when it was written.",
    },
    "dlq_group": {"type": "string", "description": "The consumer group that refused it."},
    "dlq_reason": {"type": "string", "description": "Why, in one word, as on the metric dead_letters_total."},
    "dlq_detail": {"type": "string", "description": "Why, in a sentence for a person."},
}
_CUT = "Only where the record is too large for a dead letter, which then has the first 64 KiB of its {0}: "
CUT: dict[str, Node] = {
    f"dlq_{part}_{what}": {"type": "string", "description": _CUT.format(part) + meaning}
    for part in ("key", "value")
    for what, meaning in (("size", "the number of bytes."), ("sha256", "SHA-256 of the whole, in hex."))
} | {"dlq_headers_omitted": {"type": "string", "description": "The number of the record's headers that did not fit."}}
DEAD_LETTER = "dead_letter"
CHECKPOINT = "checkpoint"
ABOUT = (
    "The records of Eventline's topics: three services that communicate only through them. Every event is a "
    "CloudEvent in binary mode; readers take the structured mode too. Readers ignore fields that they do not know."
)


def document() -> Node:
    """Return the document. Properties that AsyncAPI does not define have `x-` names."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Eventline",
            "version": "1.0.0",
            "description": ABOUT,
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {topic.name: _channel(topic) for topic in TOPICS},
        "operations": {name: operation for topic in TOPICS for name, operation in _operations(topic).items()},
        "components": {"messages": _messages(), "schemas": _schemas()},
    }


def summary_of(kind: str) -> str:
    """Return the docstring of a type's struct, without its name in front."""
    text = " ".join((TYPES[kind].__doc__ or "").split()).removeprefix(f"`{kind}`: ")
    return text[0].upper() + text[1:]


def _channel(topic: Topic) -> Node:
    return {
        "address": topic.name,
        "title": topic.name,
        "summary": PATTERNS[topic.pattern],
        "description": f"Rule for a reader, {topic.rule.value}: {RULES[topic.rule]}",
        "messages": {kind: {"$ref": f"#/components/messages/{kind}"} for kind in _carried(topic)},
        "bindings": {"kafka": {"topic": topic.name, "partitions": topic.partitions} | _configuration(topic) | BINDING},
        "x-pattern": topic.pattern.value,
        "x-rule": topic.rule.value,
        "x-publishers": list(topic.publishers),
        "x-readers": list(topic.readers),
    }


def _carried(topic: Topic) -> tuple[str, ...]:
    return topic.types or (CHECKPOINT if topic.pattern is Pattern.CHECKPOINTS else DEAD_LETTER,)


def _configuration(topic: Topic) -> Node:
    settings = topic.settings()
    typed = {name: int(text) if text.lstrip("-").isdigit() else text for name, text in settings.items()}
    return {"topicConfiguration": typed | {"cleanup.policy": [topic.cleanup]}}


def _operations(topic: Topic) -> dict[str, Node]:
    channel = f"#/channels/{topic.name}"
    messages = [{"$ref": f"{channel}/messages/{kind}"} for kind in _carried(topic)]
    doers = [("send", name, "publishes") for name in topic.publishers]
    doers += [("receive", name, "reads") for name in topic.readers]
    return {
        f"{service}.{action}.{topic.name}": {
            "action": action,
            "channel": {"$ref": channel},
            "summary": f"The {service} service {does} {topic.name}.",
            "tags": [{"name": service}],
            "messages": messages,
        }
        for action, service, does in doers
    }


def _messages() -> dict[str, Node]:
    sources = {kind: topic.sources for topic in TOPICS for kind in topic.types}
    others = {DEAD_LETTER: _dead_letter(), CHECKPOINT: _checkpoint()}
    return {kind: _message(kind, every) for kind, every in sources.items()} | others


def _message(kind: str, sources: Sequence[str]) -> Node:
    versions = versions_of(TYPES[kind])
    known = {"ce_type": [kind], "ce_source": sources, "ce_dataschema": [schema_of(kind, number) for number in versions]}
    fixed = {"properties": {name: _one_of(values) for name, values in known.items()}}
    return {
        "name": kind,
        "title": kind,
        "summary": summary_of(kind),
        "contentType": "application/json",
        "headers": {"type": "object", "allOf": [{"$ref": "#/components/schemas/Envelope"}, fixed]},
        "payload": _any_of([{"$ref": f"#/components/schemas/{struct.__name__}"} for struct in versions.values()]),
        "bindings": {"kafka": {"key": {"type": "string", "description": "As ce_subject."}} | BINDING},
        "examples": [{"headers": headers_of(kind), "payload": msgspec.json.decode(golden(kind).value)}],
    }


def _one_of(values: Sequence[str]) -> Node:
    return {"const": values[0]} if len(values) == 1 else {"enum": list(values)}


def _any_of(shapes: Sequence[Node]) -> Node:
    return shapes[0] if len(shapes) == 1 else {"anyOf": list(shapes)}


def _dead_letter() -> Node:
    return {
        "name": DEAD_LETTER,
        "title": "A dead letter",
        "summary": "The record as it was, key, value and headers, with headers for its origin and the reason.",
        "headers": {"type": "object", "required": list(ORIGIN), "properties": ORIGIN | CUT},
        "payload": {"description": "The refused record's value, or its first 64 KiB; it need not be JSON."},
        "bindings": {"kafka": {"key": {"description": "The refused record's key."}} | BINDING},
    }


def _checkpoint() -> Node:
    media_type = {"const": catalog.CHECKPOINT_TYPE, "description": "The media type of the value."}
    return {
        "name": CHECKPOINT,
        "title": "A signed checkpoint",
        "summary": "The audit log's origin, size and Merkle root, with its signature and witnesses' cosignatures.",
        "contentType": catalog.CHECKPOINT_TYPE,
        "headers": {"type": "object", "required": ["content-type"], "properties": {"content-type": media_type}},
        "payload": {"type": "string", "description": "A C2SP tlog-checkpoint as a C2SP signed-note, in UTF-8."},
        "bindings": {"kafka": {"key": {"type": "string", "description": "The log's origin."}} | BINDING},
    }


def _schemas() -> dict[str, Node]:
    # Under one name each, so that tools show them; msgspec's dialect adds nothing here to the document's.
    structs = [struct for newest in TYPES.values() for struct in versions_of(newest).values()]
    _, shapes = msgspec.json.schema_components(structs, ref_template="#/components/schemas/{name}")
    required = [name for name in HEADERS if name not in OPTIONAL]
    return {"Envelope": {"type": "object", "required": required, "properties": HEADERS}} | unindented(shapes)
