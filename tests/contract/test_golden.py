"""The bytes of every type, as published: a change of them fails here, since it changes every reader.

`make golden` writes new ones; see `goldens.py`.
"""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary, from_kafka, to_structured
from cloudevents.core.formats.json import JSONFormat

from services.chassis.consumer.decoding import Decoder
from services.contracts.catalog import TYPES
from services.contracts.envelope import Envelope, from_headers, schema_of, to_headers
from services.contracts.shapes import readers, versions_of, written
from services.workbench.documents.examples import EXAMPLES
from services.workbench.documents.goldens import (
    FOLDER,
    Golden,
    PublishedShapeError,
    files,
    golden,
    kind_of,
    printed,
    read,
    require_compatible,
    write,
)
from services.workbench.documents.schemas import schemas
from tests.support.builders import a_record

of_every_type = pytest.mark.parametrize("kind", sorted(EXAMPLES))
of_every_file = pytest.mark.parametrize("path", sorted(FOLDER.iterdir()), ids=lambda path: path.stem)
REPAIR = "run make golden, and look at what it writes"


def test_every_type_of_the_catalog_has_an_example_and_a_golden_file() -> None:
    assert set(EXAMPLES) == set(TYPES)
    assert {kind_of(path) for path in FOLDER.iterdir()} == set(TYPES), REPAIR


@of_every_type
def test_the_bytes_of_a_type_are_those_of_its_golden_file(kind: str) -> None:
    assert printed(*EXAMPLES[kind]).decode() == files(kind)[-1].read_text(), REPAIR


@of_every_type
def test_the_golden_bytes_are_read_back_as_the_same_event(kind: str) -> None:
    envelope, data = decoded(golden(kind))
    assert (envelope, data) == EXAMPLES[kind]


@of_every_file
def test_a_record_of_any_time_is_read_by_the_present_code_and_keeps_every_field(path: Path) -> None:
    record = read(path)
    envelope, data = decoded(record)
    assert envelope.type == kind_of(path)
    if envelope.schema == schema_of(envelope.type, len(versions_of(type(data)))):  # an earlier version is upcast
        assert lost(msgspec.json.decode(record.value), msgspec.to_builtins(data)) == []


def decoded(record: Golden) -> tuple[Envelope, msgspec.Struct]:
    envelope = from_headers(record.headers)
    return envelope, readers(envelope.type, TYPES[envelope.type])[envelope.schema](record.value)


def lost(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Return the fields that are gone, or have another value."""
    both = {name: (value, after.get(name)) for name, value in before.items()}
    nested = [f"{name}.{inner}" for name, (a, b) in both.items() if isinstance(a, dict) for inner in lost(a, b or {})]
    return nested + [name for name, (a, b) in both.items() if not isinstance(a, dict) and a != b]


def test_lost_fields_are_named_at_every_level() -> None:
    assert lost({"a": 1, "b": {"c": 1, "d": 2}}, {"a": 1, "b": {"c": 1, "d": 2, "e": 3}}) == []
    assert lost({"a": 1, "b": {"c": 1}, "d": 1}, {"a": 2, "b": {}}) == ["b.c", "a", "d"]


def test_new_bytes_of_a_published_type_are_written_beside_the_published_ones(tmp_path: Path) -> None:
    assert write({"a.b": b"1"}, frozenset(), tmp_path) == ["a.b.txt: written"]
    assert write({"a.b": b"2"}, frozenset(), tmp_path) == ["a.b.txt: written"], "nothing is published yet"
    beside = "a.b.2.txt: written; a.b.txt stays, such records are on the log"
    assert write({"a.b": b"3"}, frozenset({"a.b.txt"}), tmp_path) == [beside]
    assert write({"a.b": b"4"}, frozenset({"a.b.txt"}), tmp_path) == [beside], "a draft is written again"
    assert write({"a.b": b"4"}, frozenset({"a.b.txt"}), tmp_path) == []
    assert [path.read_bytes() for path in files("a.b", tmp_path)] == [b"2", b"4"]


def test_a_draft_is_removed_when_its_change_is_taken_back(tmp_path: Path) -> None:
    for text in (b"1", b"2"):
        write({"a.b": text}, frozenset({"a.b.txt"}), tmp_path)
    assert write({"a.b": b"1"}, frozenset({"a.b.txt"}), tmp_path) == ["a.b.2.txt: removed"]
    assert [path.name for path in files("a.b", tmp_path)] == ["a.b.txt"]


def test_golden_files_are_ordered_by_their_numbers_and_found_by_their_whole_type(tmp_path: Path) -> None:
    for name in ("a.b.txt", "a.b.2.txt", "a.b.10.txt", "a.b.c.txt", "a.txt"):
        (tmp_path / name).touch()
    assert [path.name for path in files("a.b", tmp_path)] == ["a.b.txt", "a.b.2.txt", "a.b.10.txt"]


def test_no_golden_file_is_written_for_a_shape_that_breaks_a_published_one() -> None:
    now = schemas()
    require_compatible(now, now)
    with pytest.raises(PublishedShapeError, match=r"user\.gone: the type was removed.*\n(.*\n)*.*make golden"):
        require_compatible({**now, "user.gone": {}}, now)


@of_every_type
def test_unknown_fields_are_ignored_at_every_level(kind: str) -> None:
    data = EXAMPLES[kind][1]
    assert msgspec.convert(_with_unknown_fields(msgspec.to_builtins(data)), type=type(data)) == data


@of_every_type
def test_the_cloudevents_sdk_understands_a_record(kind: str) -> None:
    envelope, data = EXAMPLES[kind]
    headers = {name: value for name, value in to_headers(envelope) if value is not None}
    message = KafkaMessage(headers, envelope.subject.encode(), written(data))
    event = from_kafka(message, JSONFormat())
    assert event.get_specversion() == "1.0"
    assert (event.get_id(), event.get_source(), event.get_type()) == (envelope.id, envelope.source, kind)
    assert (event.get_subject(), event.get_time()) == (envelope.subject, envelope.time)
    assert event.get_dataschema() == envelope.schema
    assert event.get_datacontenttype() == "application/json"
    assert event.get_extension("sequence") == "00000000000000000041"
    assert event.get_extension("subjectversion") == "7"
    assert event.get_extension("correlationid") == envelope.correlation_id
    assert event.get_extension("causationid") == envelope.causation_id
    assert event.get_extension("partitionkey") == envelope.subject
    assert event.get_data() == msgspec.json.decode(written(data))


@of_every_type
def test_the_same_event_in_structured_mode_by_the_cloudevents_sdk_is_a_repeat_of_our_record(kind: str) -> None:
    envelope, data = EXAMPLES[kind]
    binary = a_record(envelope, written(data))
    headers = {name: value for name, value in to_headers(envelope) if value is not None}
    # The SDK takes a `traceparent` header for one of Kafka's own, not for the attribute that it is.
    headers |= {"ce_traceparent": headers.pop("traceparent")}
    message = to_structured(
        from_binary(KafkaMessage(headers, binary.key, binary.value or b""), JSONFormat()), JSONFormat()
    )
    published = a_record(envelope, message.value, headers=list(message.headers.items()))
    first, second = Decoder(TYPES).decode([binary, published]).events
    assert (second.envelope, second.data, second.digest) == (first.envelope, first.data, first.digest)


def _with_unknown_fields(value: object) -> object:
    if isinstance(value, dict):
        return {name: _with_unknown_fields(item) for name, item in value.items()} | {"of_a_later_version": [1]}
    return value
