"""Checks the fields that `console events` shows and hides."""

from datetime import UTC, datetime

import msgspec
import pytest

from services.chassis.kafka.settings import KafkaSettings
from services.chassis.messages.record import Record
from services.console import events as module
from services.console.events import HIDDEN, EventsOptions, line, show, wanted
from services.contracts import envelope
from tests.support.hostile_text import NESTED

MOMENT = datetime(2026, 11, 22, 12, tzinfo=UTC)
AN_ENVELOPE = envelope.Envelope(
    id="e1",
    source="/user/events",
    type="user.registered",
    subject="u1",
    time=MOMENT,
    schema=envelope.schema_of("user.registered"),
    sequence=1,
    version=1,
    correlation_id="c1",
)
PERSONAL = {"personal": {"login": "ada", "email": "ada@example.org"}, "preferences": {"email": True}}


def a_record(value: bytes | None, *, headers: bool = True) -> Record:
    sent_headers = envelope.to_headers(AN_ENVELOPE) if headers else []
    return Record("user.events.v1", 2, 7, 1, int(MOMENT.timestamp() * 1000), b"u1", value, sent_headers)


def test_a_record_is_a_line_without_its_personal_part() -> None:
    shown = line(a_record(msgspec.json.encode(PERSONAL)), personal=False)
    assert shown == (
        "2026-11-22T12:00:00.000000Z user.events.v1[2]@7 user.registered u1 v1 c1 "
        f'{{"personal":"{HIDDEN}","preferences":{{"email":true}}}}'
    )


def test_who_asks_for_personal_data_is_shown_it() -> None:
    assert '"login":"ada"' in line(a_record(msgspec.json.encode(PERSONAL)), personal=True)


@pytest.mark.parametrize("reason", ["550 <ada@example.org>: no such user", "ada@example.org"])
def test_an_address_is_hidden_wherever_it_stands(reason: str) -> None:
    shown = line(a_record(msgspec.json.encode({"tried": [{"reason": reason}]})), personal=False)
    assert "example.org" not in shown
    assert HIDDEN in shown


@pytest.mark.parametrize(
    ("record", "text"),
    [
        (a_record(None), "(tombstone)"),
        (a_record(b"\xff{ada@example.org"), "(17 bytes that are no JSON)"),
        (a_record(b"[" * NESTED + b"]" * NESTED), f"({2 * NESTED} bytes that are no JSON)"),
        (a_record(b"{}", headers=False), "(no envelope) {}"),
    ],
    ids=["tombstone", "no JSON", "deeply nested", "no envelope"],
)
def test_what_is_no_event_is_shown_as_what_it_is(record: Record, text: str) -> None:
    assert text in line(record, personal=False)
    assert "example.org" not in line(record, personal=False)


@pytest.mark.parametrize(
    ("timestamp_ms", "text"),
    [(-1, "1969-12-31T23:59:59.999000Z"), (2**63 - 1, "(9223372036854775807 ms)"), (-(2**63), "ms)")],
)
def test_a_record_of_any_timestamp_is_shown(timestamp_ms: int, text: str) -> None:
    record = msgspec.structs.replace(a_record(b"{}", headers=False), timestamp_ms=timestamp_ms)
    assert text in line(record, personal=False)


@pytest.mark.parametrize(
    ("options", "passes"),
    [
        (EventsOptions(), True),
        (EventsOptions(type="user.registered", subject="u1", correlation_id="c1"), True),
        (EventsOptions(type="user.state"), False),
        (EventsOptions(subject="u2"), False),
        (EventsOptions(correlation_id="c2"), False),
    ],
)
def test_a_record_passes_when_every_filter_fits(options: EventsOptions, passes: bool) -> None:  # noqa: FBT001  # a table
    assert wanted(a_record(b"{}"), options) is passes


def test_a_record_without_an_envelope_passes_only_where_nothing_is_asked_of_it() -> None:
    assert wanted(a_record(b"", headers=False), EventsOptions())
    assert not wanted(a_record(b"", headers=False), EventsOptions(subject="u1"))


def test_the_short_form_leaves_values_out() -> None:
    shown = line(a_record(msgspec.json.encode(PERSONAL)), personal=False, short=True)
    assert shown.rstrip() == "2026-11-22T12:00:00.000000Z user.events.v1[2]@7 user.registered u1 v1 c1"


def test_a_dead_letter_shows_where_and_why_it_was_refused_without_addresses() -> None:
    origin = {"dlq_topic": "user.state.v1", "dlq_partition": "1", "dlq_offset": "9", "dlq_reason": "invalid"}
    headers = [(name, text.encode()) for name, text in origin.items()]
    letter = msgspec.structs.replace(a_record(b"{"), headers=[*headers, ("dlq_detail", b"to ada@example.org")])
    shown = line(letter, personal=False)
    assert f"dead letter of user.state.v1[1]@9, invalid: to {HIDDEN}" in shown


def test_a_message_id_is_shown_for_it_names_nobody() -> None:
    shown = line(a_record(b'{"message_id":"<m1@eventline.local>"}'), personal=False)
    assert '"message_id":"<m1@eventline.local>"' in shown


def test_records_of_a_window_are_shown_in_the_order_of_their_times(monkeypatch: pytest.MonkeyPatch) -> None:
    effect = msgspec.structs.replace(a_record(b"{}"), topic="notification.events.v1", timestamp_ms=2)
    cause = msgspec.structs.replace(a_record(b"{}"), timestamp_ms=1)
    polls = iter([[effect], [cause], []])

    class Reader:
        at_end = False

        def poll(self, *_: object) -> list[Record]:
            found = next(polls)
            self.at_end = not found
            return found

        def close(self) -> None:
            """Close nothing."""

    monkeypatch.setattr(module, "PartitionReader", lambda *_: Reader())
    monkeypatch.setattr(module, "_starts", lambda *_: {})
    monkeypatch.setattr(module, "KafkaAdmin", lambda *_: None)
    lines: list[str] = []
    show(
        KafkaSettings(kafka_bootstrap_servers="none:1"),
        EventsOptions(follow=False, short=True),
        lambda: MOMENT,
        lines.append,
    )
    assert [shown.split()[1].partition("[")[0] for shown in lines] == ["user.events.v1", "notification.events.v1"]
