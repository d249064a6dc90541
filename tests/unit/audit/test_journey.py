"""A command's causal tree, built from audit entries."""

import re
from collections.abc import Iterator, Sequence

import msgspec
import pytest

from services.audit import domain
from services.audit.domain import Entry
from services.audit.journeys.journey import Journey, journey
from services.audit.journeys.page import duration, journey_page
from services.chassis.messages.clock import to_micros
from services.contracts import notification, operations, user
from services.contracts.catalog import NOTIFICATION_EVENTS, OPERATIONS, USER_EVENTS, USER_NOTICES, USER_STATE
from services.contracts.envelope import Headers, to_headers
from services.contracts.user import Personal, Preferences, Status
from tests.support.builders import NOW, an_envelope
from tests.support.hostile_text import NESTED

ADA = Personal("ada", "ada@example.org", "Ada", "en")
MAIL = "01936d5e-0000-7000-8000-00000000000b"
FACT = user.UserRegistered(ADA, Preferences())
STATE = user.UserState("u1", 1, Status.ACTIVE, ADA, Preferences())
NOTICE = user.UserNotice("u1", "user.registered", 1)
QUEUED = notification.NotificationQueued(MAIL, "e1", "u1", 1, "welcome", notification.Recipient("ada@example.org"))
SENT = notification.NotificationSent(MAIL, "u1", f"<{MAIL}@eventline.local>", 1)

Row = tuple[str, str, str, str | None, msgspec.Struct]
CHANGE: tuple[Row, ...] = (
    (USER_EVENTS.name, "e1", "user.registered", None, FACT),
    (USER_STATE.name, "e1", "user.state", None, STATE),
    (USER_NOTICES.name, "e1", "user.notice", None, NOTICE),
)
MAILED: tuple[Row, ...] = (
    (NOTIFICATION_EVENTS.name, "e2", "notification.queued", "e1", QUEUED),
    (NOTIFICATION_EVENTS.name, "e3", "notification.sent", "e2", SENT),
)


def an_entry(position: int, topic: str, headers: Headers, value: bytes | None) -> Entry:
    found = domain.search(headers)
    return Entry(
        position=position,
        topic=topic,
        topic_id="A" * 22,
        partition=0,
        offset=position,
        ts_type=1,
        ts_ms=1,
        flags=0,
        key=b"u1",
        value=value,
        headers=domain.pack_headers(headers),
        leaf=b"",
        chain=b"",
        recorded_at=to_micros(NOW),
        type=found.type,
        subject=found.subject,
        correlation_id=found.correlation_id,
        event_time=found.event_time,
    )


def entries(rows: Sequence[Row]) -> Iterator[Entry]:
    for position, (topic, event_id, kind, cause, data) in enumerate(rows):
        envelope = an_envelope(id=event_id, type=kind, subject="u1", correlation_id="c1", causation_id=cause)
        yield an_entry(position, topic, to_headers(envelope), msgspec.json.encode(data))


def of(*rows: Row, personal: bool = False) -> Journey:
    return journey("c1", list(entries(rows)), personal=personal)


def test_records_of_one_change_are_one_event_and_effects_follow_their_causes() -> None:
    found = of(*reversed(MAILED), *CHANGE)
    assert [(event.type, event.depth, len(event.records)) for event in found.events] == [
        ("user.registered", 0, 3),
        ("notification.queued", 1, 1),
        ("notification.sent", 2, 1),
    ]
    assert [mail.state for mail in found.mails] == ["sent"]
    assert found.missing == []


@pytest.mark.parametrize(
    ("rows", "missing"),
    [
        (CHANGE[:1], ["no record on user.state.v1 yet", "no record on user.notices.v1 yet", "has not decided"]),
        (CHANGE[1:], ["user.state: no record on user.events.v1 yet"]),
        (CHANGE, ["user.registered: the notification service has not decided about a mail yet"]),
        ((*CHANGE, MAILED[0]), [f"mail welcome {MAIL}: queued, not yet sent"]),
        (MAILED[1:], ["notification.sent: its cause e2 is not in the audit log"]),
    ],
    ids=["state and notice", "fact", "decision", "mail", "cause"],
)
def test_what_has_not_come_yet_is_missing(rows: Sequence[Row], missing: list[str]) -> None:
    found = of(*rows).missing
    assert len(found) == len(missing)
    assert all(part in line for part, line in zip(missing, found, strict=True)), found


def test_a_record_that_was_published_again_is_a_repeat() -> None:
    found = of(CHANGE[0], *CHANGE, *MAILED)
    assert [record.repeat for record in found.events[0].records] == [False, True, False, False]


def test_a_record_of_the_same_event_with_another_value_is_no_repeat() -> None:
    (fact,) = entries(CHANGE[:1])
    other = msgspec.structs.replace(fact, position=1, offset=1, value=b"{}")
    [event] = journey("c1", [fact, other], personal=False).events
    assert [record.repeat for record in event.records] == [False, False]


def test_a_dead_letter_belongs_to_the_event_that_it_refuses() -> None:
    (fact,) = entries(CHANGE[:1])
    headers = domain.unpack_headers(fact.headers) or []
    origin = {"dlq_topic": "user.events.v1", "dlq_partition": "0", "dlq_offset": "0", "dlq_reason": "invalid"}
    letter = an_entry(7, "user.dlq.v1", [*headers, *((name, text.encode()) for name, text in origin.items())], b"{")
    [event] = journey("c1", [fact, letter], personal=False).events
    assert [(record.refused, record.reason) for record in event.records] == [
        (None, None),
        ("user.events.v1[0]@0", "invalid"),
    ]
    assert event.records[1].value == "(1 bytes, no JSON)"


def test_personal_data_is_masked_unless_it_is_asked_for() -> None:
    assert "ada" not in msgspec.json.encode(of(*CHANGE, *MAILED)).decode()
    assert "ada@example.org" in msgspec.json.encode(of(*CHANGE, *MAILED, personal=True)).decode()
    assert f"<{MAIL}@eventline.local>" in msgspec.json.encode(of(*CHANGE, *MAILED)).decode()


def test_the_headers_of_a_dead_letter_show_no_address_unless_it_is_asked_for() -> None:
    origin = [("dlq_topic", b"user.events.v1"), ("dlq_detail", b"to ada@example.org")]
    letter = an_entry(7, "user.dlq.v1", [("ce_id", b"e1"), *origin], b"{}")
    assert "ada@" not in msgspec.json.encode(journey("c1", [letter], personal=False)).decode()
    assert msgspec.json.encode(journey("c1", [letter], personal=True)).decode().count("to ada@example.org") == 2


@pytest.mark.parametrize("depth", [NESTED, 100_000], ids=["nested", "very"])
def test_a_deeply_nested_value_is_shown_by_its_size(depth: int) -> None:
    entry = an_entry(0, "user.events.v1", [("ce_id", b"e1")], b"[" * depth + b"]" * depth)
    [event] = journey("c1", [entry], personal=False).events
    assert event.records[0].value == f"({2 * depth} bytes, no JSON)"


@pytest.mark.parametrize("depth", [NESTED, 100_000], ids=["nested", "very"])
def test_a_notification_with_a_deeply_nested_field_leads_to_no_mail(depth: int) -> None:
    value = b'{"more":' + b"[" * depth + b"]" * depth + b"}"
    headers: Headers = [("ce_type", b"notification.sent"), ("ce_dataschema", b"urn:eventline:notification.sent:1")]
    assert journey("c1", [an_entry(0, NOTIFICATION_EVENTS.name, headers, value)], personal=False).mails == []


def test_an_operator_s_action_has_the_service_whose_store_it_was_in_as_its_publisher() -> None:
    acted = operations.OperatorActed(
        action="relay.pause", selection="all", count=0, reason="", operator="grace", host="ops-1", verified=False
    )
    headers = to_headers(an_envelope(id="e1", type=operations.ACTED, source=operations.source_of("notification")))
    entry = an_entry(0, OPERATIONS.name, headers, msgspec.json.encode(acted))
    whole = journey("c1", [entry], personal=False)
    (event,) = whole.events
    assert (event.publisher, event.type) == ("notification", "operator.acted")
    assert '"operator":"grace"' in (event.records[0].value or "")
    assert "operator actions" in journey_page(whole, personal=False)


def test_events_that_name_each_other_as_their_cause_are_shown_once_each() -> None:
    rows: tuple[Row, ...] = (
        (NOTIFICATION_EVENTS.name, "e2", "notification.queued", "e3", QUEUED),
        (NOTIFICATION_EVENTS.name, "e3", "notification.sent", "e2", SENT),
    )
    assert sorted(event.id for event in of(*rows).events) == ["e2", "e3"]


def test_the_page_escapes_what_comes_from_records() -> None:
    evil = '"><script>alert(1)</script>'
    entry = an_entry(0, "user.events.v1", [("ce_type", evil.encode()), ("ce_id", b"e1")], evil.encode())
    assert "<script" not in journey_page(journey(evil, [entry], personal=True), personal=True)


def test_the_page_sums_up_what_happened_and_what_is_missing() -> None:
    page = journey_page(of(CHANGE[0], *CHANGE, *MAILED), personal=False)
    assert "6 records on 4 topics, the last after" in page
    assert "1 mail sent, 1 record published again. Nothing is missing." in page
    assert "Still missing" in journey_page(of(*CHANGE[:1]), personal=False)


def test_records_are_drawn_in_the_order_of_their_writing_with_the_time_since_the_first_event() -> None:
    moment = to_micros(NOW) // 1000
    fact, state = entries(CHANGE[:2])
    late, early = msgspec.structs.replace(fact, ts_ms=moment + 2500), msgspec.structs.replace(state, ts_ms=moment + 7)
    page = journey_page(journey("c1", [late, early], personal=False), personal=False)
    times = re.findall(r'y="18">([^<]+)<.*?class="(\w+)"', page, re.DOTALL)
    assert times == [("+7 ms", "state"), ("+2.5 s", "facts")]


@pytest.mark.parametrize(
    ("milliseconds", "text"), [(0, "0 ms"), (999.4, "999 ms"), (1500, "1.5 s"), (125_000, "2 min 5 s")]
)
def test_a_duration_has_two_units_at_most(milliseconds: float, text: str) -> None:
    assert duration(milliseconds) == text
