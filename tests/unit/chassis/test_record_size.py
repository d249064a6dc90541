"""The size of records: measured with headers and framing, and refused before an event is stored that does not fit."""

import msgspec
import pytest
from msgspec.structs import replace

from services.chassis.messages.event import Metadata, NewEvent, StoredEvent
from services.chassis.messages.record import Outgoing
from services.chassis.outbox.record_size import HEADROOM, LARGEST_VALUE, EventTooLargeError, require_fit
from services.contracts.envelope import LARGEST_RECORD
from services.notification import publisher as notification
from services.user import publisher as user
from tests.support.builders import NOW, a_new_event
from tests.support.notification_builders import a_state

WIDEST = "\N{GRINNING FACE}" * 64  # four bytes a character
STATE = msgspec.json.encode(a_state()).decode()
CONTEXT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def an_event_of_the_widest_names(metadata: Metadata) -> NewEvent:
    named = {"event_id": "i" * 64, "subject": WIDEST, "type": WIDEST}
    return replace(a_new_event(2**31 - 1), **named, metadata=metadata, data="{}", state=STATE)


@pytest.mark.parametrize("publisher", [user, notification], ids=["user", "notification"])
def test_the_headroom_holds_key_headers_and_framing_of_every_publishers_records(publisher: object) -> None:
    metadata = Metadata("c" * 64, "d" * 64, CONTEXT)
    stored = StoredEvent(2**63 - 1, NOW, an_event_of_the_widest_names(metadata))
    records: list[Outgoing] = list(publisher.records(stored))  # type: ignore[attr-defined]
    assert max(record.size - len(record.value or b"") for record in records) <= HEADROOM


def test_a_stored_trace_context_of_megabytes_is_not_published() -> None:
    stored = StoredEvent(1, NOW, an_event_of_the_widest_names(Metadata("c", "d", "x" * 1_500_000)))
    assert max(record.size for record in user.records(stored)) < HEADROOM + 1000


@pytest.mark.parametrize("part", ["data", "state"])
def test_an_event_that_no_record_could_hold_is_refused_with_its_size(part: str) -> None:
    require_fit([replace(a_new_event(), **{part: "x" * LARGEST_VALUE})])
    with pytest.raises(EventTooLargeError, match=rf"user.registered of {LARGEST_VALUE + 1} bytes"):
        require_fit([a_new_event(), replace(a_new_event(), **{part: "x" * (LARGEST_VALUE + 1)})])


def test_the_largest_value_and_the_headroom_are_one_record() -> None:
    assert LARGEST_VALUE + HEADROOM == LARGEST_RECORD
