"""From records to events: what can never be one is refused with a reason, the next record proceeds."""

import pytest

from services.chassis.decoding import Decoder, UnknownShapeError
from services.chassis.record import Record
from services.contracts.envelope import schema_of, to_headers
from services.contracts.user import UserRegistered, UserState
from tests.builders import USER_ID, a_record, a_user_registered, an_envelope

DATA = a_user_registered()
GOOD = a_record(an_envelope(), DATA)
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
        (changed(value=b'{"a":' * 100_000), "malformed", "recursion"),
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
def test_a_record_that_can_never_be_an_event_is_refused_and_the_next_one_proceeds(
    record: Record, reason: str, detail: str
) -> None:
    decoded = DECODER.decode([record, GOOD])
    (refusal,) = decoded.refused
    assert (refusal.record, refusal.reason) == (record, reason)
    assert detail.lower() in refusal.detail.lower()
    assert [event.data for event in decoded.events] == [DATA]


def test_a_key_that_resembles_its_subject_after_decoding_is_not_its_subject() -> None:
    envelope = an_envelope(subject="\N{REPLACEMENT CHARACTER}")
    (refusal,) = DECODER.decode([a_record(envelope, DATA, key=b"\xff")]).refused
    assert refusal.reason == "key_mismatch"


def test_types_that_nobody_subscribes_to_are_counted_by_topic() -> None:
    unknown = a_record(an_envelope(type="user.sang"), b"anything", topic="other.v1")
    decoded = DECODER.decode([unknown, GOOD, unknown])
    assert decoded.not_subscribed == {"other.v1": 2}
    assert len(decoded.events) == 1


def test_a_newer_shape_of_a_subscribed_type_is_no_bad_record_but_old_code() -> None:
    newer = a_record(an_envelope(schema=schema_of("user.registered", 2)), DATA, offset=7)
    with pytest.raises(UnknownShapeError, match=r"user\.events\.v1\[0\]@7: urn:eventline:user\.registered:2"):
        DECODER.decode([newer])


def test_a_tombstone_is_an_event_without_data_on_the_topic_that_has_them() -> None:
    tombstone = a_record(an_envelope(type="user.state"), None, topic="user.state.v1")
    (event,) = DECODER.decode([tombstone]).events
    assert event.data is None


def test_events_keep_the_order_of_their_records() -> None:
    records = [a_record(an_envelope(version=version), DATA) for version in (3, 1, 2)]
    assert [event.envelope.version for event in DECODER.decode(records).events] == [3, 1, 2]


def test_the_digest_tells_values_apart_byte_by_byte() -> None:
    spaced = a_record(an_envelope(), (GOOD.value or b"") + b" ")
    first, second, third = DECODER.decode([GOOD, GOOD, spaced]).events
    assert first.digest == second.digest != third.digest
