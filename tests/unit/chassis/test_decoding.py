"""Decoding: an invalid record is refused with a reason, and the next record is decoded."""

import base64
import contextlib
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.chassis.consumer.decoding import Decoder, UnknownShapeError
from services.chassis.messages.record import Record
from services.contracts.envelope import schema_of, to_headers
from services.contracts.user import UserRegistered, UserState
from tests.support.builders import USER_ID, a_record, a_user_registered, an_envelope

DATA = a_user_registered()
CONTEXT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
GOOD = a_record(an_envelope(), DATA)
ATTRIBUTES: dict[str, Any] = {
    "specversion": "1.0",
    "id": "01936d5e-0000-7000-8000-00000000000e",
    "source": "/user/events",
    "type": "user.registered",
    "subject": USER_ID,
    "time": "2026-11-22T12:00:00Z",
    "dataschema": "urn:eventline:user.registered:1",
    "sequence": "00000000000000000001",
    "subjectversion": 1,
    "correlationid": "correlation-1",
    "datacontenttype": "application/json",
    "data": msgspec.to_builtins(DATA),
}
STRUCTURED = json.dumps(ATTRIBUTES, ensure_ascii=False).encode()
json_values: st.SearchStrategy[object] = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just({}) | st.lists(st.integers())
)
DECODER = Decoder({"user.registered": UserRegistered, "user.state": UserState}, frozenset({"user.state.v1"}))


def changed(**parts: object) -> Record:
    return a_record(an_envelope(), DATA, **parts)


@pytest.mark.parametrize(
    ("record", "reason", "detail"),
    [
        (changed(value=b""), "malformed", "truncated"),
        (changed(value=b"{"), "malformed", "truncated"),
        (changed(value=b"hello"), "malformed", "invalid character"),
        (changed(value=(GOOD.value or b"").replace(b"Ada", b"\xff")), "malformed", "utf-8"),
        (changed(value=b'{"personal": "\xff'), "malformed", ""),
        (changed(value=b'{"a":' * 100_000), "malformed", ""),  # from 3.14 on Python reads it to its end
        (changed(value=b"{}"), "invalid", "missing required field `personal`"),
        (changed(value=b'{"personal": 1, "preferences": {}}'), "invalid", "$.personal"),
        (changed(value=None), "unexpected_tombstone", "without a value"),
        (changed(key=None), "key_mismatch", f"key None, subject '{USER_ID}'"),
        (changed(key=b"somebody"), "key_mismatch", f"key b'somebody', subject '{USER_ID}'"),
        (changed(key=b"\xff"), "key_mismatch", r"key b'\xff'"),
        (changed(headers=None), "unreadable_headers", "not UTF-8"),
        (changed(headers=[]), "envelope", "ce_specversion"),
        (changed(headers=to_headers(an_envelope())[1:]), "envelope", "ce_specversion"),
    ],
)
def test_an_invalid_record_is_refused_and_the_next_one_is_decoded(record: Record, reason: str, detail: str) -> None:
    decoded = DECODER.decode([record, GOOD])
    (refusal,) = decoded.refused
    assert (refusal.record, refusal.reason) == (record, reason)
    assert detail.lower() in refusal.detail.lower()
    assert [event.data for event in decoded.events] == [DATA]


def test_a_key_that_equals_its_subject_only_after_decoding_is_refused() -> None:
    envelope = an_envelope(subject="\N{REPLACEMENT CHARACTER}")
    (refusal,) = DECODER.decode([a_record(envelope, DATA, key=b"\xff")]).refused
    assert refusal.reason == "key_mismatch"


def test_types_without_a_subscription_are_counted_by_topic() -> None:
    unknown = a_record(an_envelope(type="user.sang"), b"anything", topic="other.v1")
    decoded = DECODER.decode([unknown, GOOD, unknown])
    assert decoded.not_subscribed == {"other.v1": 2}
    assert len(decoded.events) == 1


def test_a_newer_schema_of_a_subscribed_type_raises_an_error_instead_of_a_refusal() -> None:
    newer = a_record(an_envelope(schema=schema_of("user.registered", 2)), DATA, offset=7)
    with pytest.raises(UnknownShapeError, match=r"user\.events\.v1\[0\]@7: urn:eventline:user\.registered:2"):
        DECODER.decode([newer])


def test_a_tombstone_is_an_event_without_data_on_a_topic_with_tombstones() -> None:
    tombstone = a_record(an_envelope(type="user.state"), None, topic="user.state.v1")
    (event,) = DECODER.decode([tombstone]).events
    assert event.data is None


def test_events_keep_the_order_of_their_records() -> None:
    records = [a_record(an_envelope(version=version), DATA) for version in (3, 1, 2)]
    assert [event.envelope.version for event in DECODER.decode(records).events] == [3, 1, 2]


def structured(value: bytes | None = STRUCTURED, **changed: object) -> Record:
    headers = [("content-type", b"application/cloudevents+json; charset=utf-8")]
    return a_record(an_envelope(), value, **{"headers": headers, **changed})


def without(name: str) -> bytes:
    return json.dumps({each: value for each, value in ATTRIBUTES.items() if each != name}).encode()


def having(**members: object) -> bytes:
    return json.dumps(ATTRIBUTES | members).encode()


def test_a_structured_event_equals_the_event_in_binary_mode() -> None:
    first, second = DECODER.decode([GOOD, structured()]).events
    assert (second.envelope, second.data, second.digest) == (first.envelope, first.data, first.digest)
    assert second.record.value == STRUCTURED


@pytest.mark.parametrize(
    "value",
    [
        json.dumps(ATTRIBUTES, ensure_ascii=True, indent=2).encode(),
        having(subjectversion="1", sequence=1, causationid=None, datacontenttype="application/json; charset=utf-8"),
        having(datacontenttype=None, comexampleother=True),
        without("data")[:-1] + b', "data_base64": "' + base64.b64encode(GOOD.value or b"") + b'"}',
    ],
    ids=["blanks and escapes", "numbers as text and text as numbers", "attributes of others", "base64"],
)
def test_a_structured_event_has_the_same_digest_in_each_spelling(value: bytes) -> None:
    first, second = DECODER.decode([GOOD, structured(value)]).events
    assert (second.envelope, second.data, second.digest) == (first.envelope, first.data, first.digest)


def test_structured_data_in_another_order_is_different_data() -> None:
    """A known limit: the binary mode's bytes cannot be derived, so a repeat is seen as a conflict."""
    turned = having(data=dict(reversed(ATTRIBUTES["data"].items())))
    first, second = DECODER.decode([GOOD, structured(turned)]).events
    assert second.data == first.data
    assert second.digest != first.digest


def test_causation_trace_and_actor_are_read_from_a_structured_event() -> None:
    (event,) = DECODER.decode([structured(having(causationid="cause-1", traceparent=CONTEXT, actor="ada"))]).events
    assert (event.envelope.causation_id, event.envelope.traceparent, event.envelope.actor) == (
        "cause-1",
        CONTEXT,
        "ada",
    )


@pytest.mark.parametrize(
    ("value", "reason", "detail"),
    [
        (None, "envelope", "a structured event without a value: a tombstone is written in binary mode"),
        (b"", "envelope", "the value is no structured event: Input data was truncated"),
        (b"[]", "envelope", "Expected `object`, got `array`"),
        (b"\xff", "envelope", "invalid character"),
        (b'{"\xff": 1}', "envelope", "utf-8"),
        (b'{"a":' * 100_000, "envelope", "no structured event"),
        (STRUCTURED + b" x", "envelope", "trailing characters"),
        (having(specversion="0.3"), "envelope", "attribute specversion is b'0.3', expected b'1.0'"),
        *[
            (without(name), "envelope", f"attribute {name} ")
            for name in ATTRIBUTES
            if name not in {"datacontenttype", "data"}
        ],
        (having(id=None), "envelope", "attribute id is missing"),
        (having(id=""), "envelope", "attribute id is b'': not 1 to 64 letters, digits and -_.:"),
        (having(subject={"a": 1}), "envelope", "attribute subject is b'{\"a\": 1}': Expected `int | str | null`"),
        (having(time="yesterday"), "envelope", "attribute time is b'yesterday'"),
        (having(sequence=-1), "envelope", "attribute sequence is b'-1': not a number"),
        (having(sequence=2**63), "envelope", "attribute sequence is b'9223372036854775808': not a number"),
        (having(subjectversion=1.5), "envelope", "attribute subjectversion is b'1.5'"),
        (STRUCTURED.replace(b"correlation-1", b"\\ud800"), "envelope", "the value is no structured event"),
        (STRUCTURED.replace(b"correlation-1", b"\xff"), "envelope", "attribute correlationid is"),
        (
            having(datacontenttype="text/plain"),
            "envelope",
            "attribute datacontenttype is 'text/plain', expected application/json",
        ),
        (without("data"), "envelope", "one of data and data_base64 is expected, found none"),
        (having(data_base64="e30="), "envelope", "found both"),
        (without("data")[:-1] + b', "data_base64": "*"}', "envelope", "attribute data_base64: Invalid base64"),
        (without("data")[:-1] + b', "data_base64": ""}', "malformed", "truncated"),
        (having(data=None), "invalid", "Expected `object`, got `null`"),
        (having(data={}), "invalid", "missing required field `personal`"),
        (STRUCTURED.replace(b"Ada", b"\xff"), "malformed", "utf-8"),
        (having(subject="somebody"), "key_mismatch", "subject 'somebody'"),
    ],
)
def test_an_invalid_structured_record_is_refused_and_the_next_one_is_decoded(
    value: bytes | None, reason: str, detail: str
) -> None:
    decoded = DECODER.decode([structured(value), GOOD])
    (refusal,) = decoded.refused
    assert (refusal.record.value, refusal.reason) == (value, reason)
    assert detail.lower() in refusal.detail.lower()
    assert len(refusal.detail) < 400
    assert len(decoded.events) == 1


@pytest.mark.parametrize("content_type", [b"application/cloudevents+avro", b"application/cloudevents-batch+json"])
def test_other_structured_formats_are_refused_and_named(content_type: bytes) -> None:
    (refusal,) = DECODER.decode([structured(headers=[("content-type", content_type)])]).refused
    expected = f"header content-type is '{content_type.decode()}', expected application/cloudevents+json"
    assert (refusal.reason, refusal.detail) == ("envelope", expected)


@given(
    st.binary()
    | st.dictionaries(st.sampled_from([*ATTRIBUTES, "data_base64"]), json_values).map(lambda members: having(**members))
)
def test_arbitrary_structured_values_give_an_event_or_a_refusal(value: bytes) -> None:
    with contextlib.suppress(UnknownShapeError):
        decoded = DECODER.decode([structured(value)])
        assert len(decoded.events) + len(decoded.refused) + decoded.not_subscribed.total() == 1


def test_the_digest_differs_for_each_different_value() -> None:
    spaced = a_record(an_envelope(), (GOOD.value or b"") + b" ")
    first, second, third = DECODER.decode([GOOD, GOOD, spaced]).events
    assert first.digest == second.digest != third.digest


def test_the_detail_of_a_refusal_does_not_repeat_a_value_of_the_record() -> None:
    state = b'{"user_id": "u", "version": 1, "status": "ada@example.org \'", "personal": {}, "preferences": {}}'
    envelope = an_envelope(type="user.state", schema=schema_of("user.state"))
    [refusal] = DECODER.decode([msgspec.structs.replace(a_record(envelope, DATA), value=state)]).refused
    assert refusal.reason == "invalid"
    assert refusal.detail == "Invalid enum value - at `$.status`"
