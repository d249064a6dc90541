"""The bytes of every type, as published: a change of them fails here, since it changes every reader.

`goldens.py` explains how a golden file is written.
"""

import msgspec
import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary, from_kafka, to_structured
from cloudevents.core.formats.json import JSONFormat

from services.chassis.consumer.decoding import Decoder
from services.contracts.catalog import TYPES
from services.contracts.envelope import Envelope, from_headers, to_headers
from services.workbench.documents.examples import EXAMPLES
from services.workbench.documents.goldens import FOLDER, golden
from tests.support.builders import a_record

of_every_type = pytest.mark.parametrize("kind", sorted(EXAMPLES))


def printed(envelope: Envelope, data: msgspec.Struct) -> bytes:
    headers = b"".join(name.encode() + b": " + (value or b"") + b"\n" for name, value in to_headers(envelope))
    return headers + b"\n" + msgspec.json.encode(data) + b"\n"


def test_every_type_of_the_catalog_has_an_example_and_a_golden_file() -> None:
    assert set(EXAMPLES) == set(TYPES)
    assert {path.stem for path in FOLDER.iterdir()} == set(TYPES)


@of_every_type
def test_the_bytes_of_a_type_are_those_of_its_golden_file(kind: str) -> None:
    assert printed(*EXAMPLES[kind]).decode() == (FOLDER / f"{kind}.txt").read_text()


@of_every_type
def test_the_golden_bytes_are_read_back_as_the_same_event(kind: str) -> None:
    record = golden(kind)
    read = (from_headers(record.headers), msgspec.json.decode(record.value, type=TYPES[kind]))
    assert read == EXAMPLES[kind]


@of_every_type
def test_unknown_fields_are_ignored_at_every_level(kind: str) -> None:
    data = EXAMPLES[kind][1]
    assert msgspec.convert(_with_unknown_fields(msgspec.to_builtins(data)), type=type(data)) == data


@of_every_type
def test_the_cloudevents_sdk_understands_a_record(kind: str) -> None:
    envelope, data = EXAMPLES[kind]
    headers = {name: value for name, value in to_headers(envelope) if value is not None}
    message = KafkaMessage(headers, envelope.subject.encode(), msgspec.json.encode(data))
    event = from_kafka(message, JSONFormat())
    assert event.get_specversion() == "1.0"
    assert (event.get_id(), event.get_source(), event.get_type()) == (envelope.id, envelope.source, kind)
    assert (event.get_subject(), event.get_time()) == (envelope.subject, envelope.time)
    assert event.get_dataschema() == f"urn:eventline:{kind}:1"
    assert event.get_datacontenttype() == "application/json"
    assert event.get_extension("sequence") == "00000000000000000041"
    assert event.get_extension("subjectversion") == "7"
    assert event.get_extension("correlationid") == envelope.correlation_id
    assert event.get_extension("causationid") == envelope.causation_id
    assert event.get_extension("partitionkey") == envelope.subject
    assert event.get_data() == msgspec.to_builtins(data)


@of_every_type
def test_the_same_event_in_structured_mode_by_the_cloudevents_sdk_is_a_repeat_of_our_record(kind: str) -> None:
    envelope, data = EXAMPLES[kind]
    binary = a_record(envelope, data)
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
