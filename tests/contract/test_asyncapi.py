"""The AsyncAPI document: valid by the standard's own schema, and true of what we publish.

The schema in `standard/` is version 3.0.0 without `$id` from the npm package @asyncapi/specs 6.11.1, unchanged, under
the Apache License 2.0 (see NOTICE beside it).
"""

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import msgspec
import pytest

from services.chassis.consumer.held.letter import letter
from services.chassis.consumer.held.reasons import State
from services.chassis.consumer.held.record import Held
from services.contracts.catalog import TOPICS, TYPES, Topic
from services.contracts.envelope import to_headers
from services.workbench.documents.asyncapi import HEADERS, OPTIONAL, ORIGIN, document
from services.workbench.documents.goldens import golden, headers_of
from tests.support.builders import NOW, a_record, a_user_registered, an_envelope

STANDARD = Path(__file__).parent / "standard/schema-3.0.0.json.gz"
DOCUMENT = document()


@pytest.fixture(scope="module")
def standard() -> Any:
    return jsonschema_rs.Draft7Validator(msgspec.json.decode(gzip.decompress(STANDARD.read_bytes())))


def complaints(standard: Any, candidate: object) -> list[str]:
    return [str(error)[:300] for error in standard.iter_errors(candidate)]


def references(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        yield from (value for name, value in node.items() if name == "$ref")
        node = list(node.values())
    if isinstance(node, list):
        for item in node:
            yield from references(item)


def found(pointer: str) -> Any:
    node: Any = DOCUMENT
    for part in pointer.removeprefix("#/").split("/"):
        node = node[part]
    return node


def within_document(schema: object) -> Any:
    """Return a validator of a schema whose references point into the document."""
    return jsonschema_rs.Draft7Validator({"components": DOCUMENT["components"], "allOf": [schema]})


def test_the_document_is_valid_asyncapi(standard: Any) -> None:
    assert complaints(standard, DOCUMENT) == []


@pytest.mark.parametrize(
    "broken",
    [
        DOCUMENT | {"asyncapi": "2.6.0"},
        DOCUMENT | {"chanels": {}},
        DOCUMENT | {"operations": {"a": {"action": "publish", "channel": {"$ref": "#/channels/user.state.v1"}}}},
        DOCUMENT | {"channels": {"a": {"bindings": {"kafka": {"partitions": 0}}}}},
    ],
    ids=["another version", "unknown word", "unknown action", "no partitions"],
)
def test_the_standard_refuses_a_broken_document(standard: Any, broken: object) -> None:
    assert complaints(standard, broken)


def test_every_reference_points_at_something() -> None:
    for pointer in set(references(DOCUMENT)):
        assert found(pointer), pointer


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_a_topic_is_a_channel_with_its_settings_and_an_operation_for_each_service(topic: Topic) -> None:
    channel = DOCUMENT["channels"][topic.name]
    kafka = channel["bindings"]["kafka"]
    assert (channel["address"], kafka["partitions"]) == (topic.name, topic.partitions)
    configured = kafka["topicConfiguration"] | {"cleanup.policy": topic.cleanup}
    assert {name: str(value) for name, value in configured.items()} == topic.settings()
    mine = {
        name for name, operation in DOCUMENT["operations"].items() if operation["channel"]["$ref"].endswith(topic.name)
    }
    doers = {"receive": topic.readers, "send": topic.publishers}
    wanted = {f"{service}.{action}.{topic.name}" for action, services in doers.items() for service in services}
    assert mine == wanted


@pytest.mark.parametrize("kind", sorted(TYPES))
def test_a_golden_record_is_a_message_of_its_type_and_of_no_other(kind: str) -> None:
    value, headers = msgspec.json.decode(golden(kind).value), headers_of(kind)
    messages = {name: message for name, message in DOCUMENT["components"]["messages"].items() if name in TYPES}
    assert within_document(messages[kind]["payload"]).is_valid(value)
    assert [name for name in messages if within_document(messages[name]["headers"]).is_valid(headers)] == [kind]


def test_the_headers_of_the_document_are_those_that_we_write() -> None:
    assert set(HEADERS) == {name for name, _ in to_headers(an_envelope(causation_id="c", traceparent="t", actor="a"))}
    assert set(HEADERS) - set(OPTIONAL) == {name for name, _ in to_headers(an_envelope())}


def test_the_headers_of_a_dead_letter_are_those_that_we_write() -> None:
    record = a_record(an_envelope(), a_user_registered())
    one = Held(record=record, topic_id="", state=State.DEAD, reason="invalid", detail="d", since=NOW)
    written = letter(one, "test.dlq.v1", "test")
    assert {name for name, _ in written.headers} - {name for name, _ in record.headers or ()} == set(ORIGIN)
