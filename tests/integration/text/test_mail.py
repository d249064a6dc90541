"""Arbitrary text in records and replies, to the bytes of mails as a third-party parser reads them."""

import contextlib
from html.parser import HTMLParser
from itertools import count

import msgspec
import pytest
from fast_mail_parser import PyMail, parse_email
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from services.chassis.database.database import Database
from services.contracts.envelope import ID
from services.notification.domain import ClaimedIntent, DeliveryResult, DeliveryStatus
from services.notification.mail.smtp_connection import Server
from services.notification.mail.templates import CannotComposeError, Composer
from tests.support.hostile_text import MARK, few, json_texts, texts
from tests.support.mail_servers import DIALOGUE, HOST, Script
from tests.support.notification_builders import a_claimed_intent, a_notice_record, a_state, a_state_record
from tests.support.sender_harness import MAIL_FROM, Mailroom

OURS = {
    *("Date", "Message-ID", "From", "To", "Subject", "X-Correlation-ID", "Auto-Submitted", "Content-Language"),
    *("MIME-Version", "Content-Type"),
}
TEXTS = ("recipient", "correlation_id", "full_name", "locale", "message_id", "notification_id")
numbers = count(1)
replies = st.binary(max_size=60).map(lambda reply: reply.replace(b"\n", b" ")) | texts.map(
    lambda text: text.encode(errors="replace").replace(b"\n", b" ")
)
codes = st.sampled_from([b"250 ", b"451 ", b"550 5.1.1 ", b"554 5.7.1 ", b"421 ", b"999 ", b""])


class Tags(HTMLParser):
    """The tags of a page, in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, list[tuple[str, str | None]]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep a tag."""
        self.found.append((tag, attrs))


def read(content: bytes) -> PyMail:
    """Return a mail as sent, read strictly: two parts, no header but ours, each once, no control character."""
    assert content.endswith(b"\r\n.\r\n")
    assert b"\n.\r\n" not in content[:-3]
    assert b"\0" not in content
    assert content.count(b"\n") == content.count(b"\r") == content.count(b"\r\n")
    mail = parse_email(content.removesuffix(b".\r\n"))
    assert not mail.warnings
    assert set(mail.headers) == OURS
    assert all(len(values) == 1 for values in mail.headers.values())
    assert (len(mail.text_plain), len(mail.text_html), mail.attachments, mail.bcc, mail.cc) == (1, 1, [], [], [])
    return mail


def composed(claim: ClaimedIntent) -> PyMail | None:
    try:
        return read(Composer(MAIL_FROM).compose(claim).content)
    except CannotComposeError:
        return None


def check(claim: ClaimedIntent) -> None:
    usual = composed(a_claimed_intent())
    mail = composed(claim)
    assert usual is not None
    if mail is not None:
        assert [address.address for address in mail.to] == [claim.recipient]
        assert ID.fullmatch(mail.headers["X-Correlation-ID"][0])
        assert len(mail.text_plain[0].splitlines()) == len(usual.text_plain[0].splitlines())
        assert Tags(mail.text_html[0]).found == Tags(usual.text_html[0]).found


@few
@given(st.dictionaries(st.sampled_from(TEXTS), texts, max_size=3))
def test_a_mail_of_any_text_has_our_headers_and_tags_alone(changed: dict[str, str]) -> None:
    check(msgspec.structs.replace(a_claimed_intent(), **changed))


@pytest.fixture
def room(database: Database) -> Mailroom:
    return Mailroom(database)


@few
@given(json_texts, json_texts, json_texts, texts)
def test_a_state_with_any_name_and_address_gives_a_mail_or_a_settled_refusal(
    room: Mailroom, name: str, email: str, correlation: str, detail: str
) -> None:
    user = f"{next(numbers):036}"
    notice = a_notice_record(1, user_id=user)
    headers = [(n, correlation.encode() if n == "ce_correlationid" else value) for n, value in notice.headers or ()]
    room.handle_any(a_state_record(a_state(user_id=user, name=name, email=email)))
    room.handle_any(msgspec.structs.replace(notice, headers=headers))
    claims = room.queue.claim(10)
    for claim in claims:
        check(claim)
    room.settle(claims, DeliveryResult(DeliveryStatus.REFUSED, detail))
    assert not [state for state in room.states() if state[0] == "attempting"]


@settings(few, max_examples=8)
@given(st.integers(2, 5), codes, replies)
def test_any_reply_settles_its_mail_and_is_kept_as_codes(room: Mailroom, step: int, code: bytes, reply: bytes) -> None:
    user = next(numbers) + 1_000_000
    room.register(user)
    script = [*DIALOGUE[:step], code + reply + f" {MARK}".encode()]
    with Script(script) as server, capture_logs() as lines, contextlib.suppress(ConnectionError):
        room.send(Server(HOST, server.port, timeout_s=0.5))
    assert not [state for state in room.states() if state[0] == "attempting"]
    shown = (lines, room.outcomes(), [event.data for event in room.last_events(2)])
    assert MARK not in repr(shown)
