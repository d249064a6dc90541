"""Rows of an export: the columns of a decoded record, what is hidden, and a record that cannot be decoded."""

from base64 import b64decode
from typing import Any

import msgspec
import pytest

from services.chassis.messages.record import Record
from services.console.export.rows import Rows
from services.contracts.catalog import DEAD_LETTERS, USER_EVENTS, USER_STATE, Topic
from services.contracts.envelope import schema_of, to_headers
from services.contracts.user import Preferences, Status, UserState
from tests.support.builders import USER_ID, a_person, a_record, a_user_registered, an_envelope
from tests.support.versions import a_next_version, wrapped

FACT = a_record(an_envelope(), a_user_registered(), partition=2, offset=7)
BROKEN = msgspec.structs.replace(FACT, value=b"\xff ada@example.org", offset=8)
DEAD = DEAD_LETTERS["notification"]


def row(record: Record, topic: Topic = USER_EVENTS, *, personal: bool = True) -> dict[str, Any]:
    (made,) = Rows(topic, personal=personal).of([record])
    return msgspec.structs.asdict(made)


def test_a_decoded_record_has_its_place_its_attributes_and_its_data() -> None:
    assert row(FACT) == {
        "topic": "user.events.v1",
        "partition": 2,
        "offset": 7,
        "timestamp": "2026-11-22T12:00:00.000000Z",
        "key": USER_ID,
        "id": "01936d5e-0000-7000-8000-00000000000e",
        "source": "/user/events",
        "type": "user.registered",
        "subject": USER_ID,
        "time": "2026-11-22T12:00:00.000000Z",
        "dataschema": "urn:eventline:user.registered:1",
        "sequence": 1,
        "subjectversion": 1,
        "correlationid": "correlation-1",
        "causationid": None,
        "actor": None,
        "traceparent": None,
        "data": {
            "personal": {"login": "ada", "email": "ada@example.org", "full_name": "Ada Lovelace", "locale": "en"},
            "preferences": {"email": True},
        },
        "tombstone": False,
        "headers": {},
        "reason": None,
        "raw": None,
    }


def test_personal_data_is_hidden_unless_it_is_asked_for() -> None:
    data = row(FACT, personal=False)["data"]
    assert data == {"personal": "(hidden)", "preferences": {"email": True}}
    hidden = row(msgspec.structs.replace(BROKEN, key=b"ada@example.org"), personal=False)
    assert "example.org" not in str(hidden)
    assert (hidden["key"], hidden["raw"]) == ("(hidden)", "(hidden)")


def test_a_record_that_cannot_be_decoded_keeps_its_bytes_its_reason_and_its_place_among_the_others() -> None:
    rows = Rows(USER_EVENTS, personal=True)
    before, broken, after = rows.of([FACT, BROKEN, msgspec.structs.replace(FACT, offset=9)])
    assert [before.offset, broken.offset, after.offset] == [7, 8, 9]
    assert (before.reason, after.reason) == (None, None)
    assert str(broken.reason).startswith("malformed: ")
    assert (broken.data, broken.type, broken.sequence) == (None, "user.registered", 1)
    assert b64decode(broken.raw["value"]) == BROKEN.value
    assert b64decode(broken.raw["key"]) == BROKEN.key
    assert [(name, b64decode(value)) for name, value in broken.raw["headers"]] == BROKEN.headers
    assert (rows.written, dict(rows.undecoded)) == (3, {"malformed": 1})


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"headers": []}, "envelope"),
        ({"headers": None}, "unreadable_headers"),
        ({"value": None}, "unexpected_tombstone"),
        ({"value": b"{"}, "malformed"),
        ({"value": b"{}"}, "invalid"),
        ({"key": b"other"}, "key_mismatch"),
        ({"headers": to_headers(an_envelope(schema=schema_of("user.registered", 9)))}, "newer_version"),
        ({"headers": to_headers(an_envelope(type="user.new"))}, "unexpected_type"),
    ],
)
def test_each_reason_is_named_first(changed: dict[str, Any], reason: str) -> None:
    made = row(msgspec.structs.replace(FACT, **changed))
    assert made["reason"].startswith(f"{reason}: ")
    assert made["raw"] is not None


def test_a_tombstone_is_kept() -> None:
    state = an_envelope(type="user.state", source="/user/state")
    made = row(a_record(state, None, topic="user.state.v1"), USER_STATE)
    assert (made["tombstone"], made["data"], made["reason"], made["key"]) == (True, None, None, USER_ID)
    full = UserState(USER_ID, 1, Status.ACTIVE, a_person(), Preferences())
    assert row(a_record(state, full, topic="user.state.v1"), USER_STATE)["tombstone"] is False


def test_a_dead_letter_is_decoded_as_what_it_was_with_the_headers_of_its_refusal() -> None:
    headers = [*(FACT.headers or []), ("dlq_reason", b"invalid"), ("dlq_detail", b"of ada@example.org")]
    letter = msgspec.structs.replace(FACT, topic=DEAD.name, headers=headers)
    assert row(letter, DEAD)["headers"] == {"dlq_reason": "invalid", "dlq_detail": "of ada@example.org"}
    assert row(letter, DEAD, personal=False)["headers"] == {"dlq_reason": "invalid", "dlq_detail": "of (hidden)"}
    assert row(letter, DEAD)["data"] is not None


@pytest.mark.parametrize(
    "changed",
    [
        {"timestamp_ms": 2**62},
        {"headers": [*(FACT.headers or []), ("other", b"\xff")]},
        {"headers": [*(FACT.headers or []), ("other", b"a"), ("other", b"b")]},
    ],
)
def test_what_no_column_can_have_is_in_the_bytes(changed: dict[str, Any]) -> None:
    made = row(msgspec.structs.replace(FACT, **changed))
    assert made["data"] is not None
    assert made["raw"] is not None


def test_an_earlier_version_is_exported_in_todays_shape_and_names_its_schema() -> None:
    with a_next_version(type(a_user_registered())) as version:
        old = msgspec.structs.replace(FACT, value=wrapped(FACT.value or b""))
        made = row(old)
    assert made["dataschema"] == schema_of("user.registered", version)
    assert made["data"] == row(FACT)["data"]
