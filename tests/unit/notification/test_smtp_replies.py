"""The tables of replies: what bounces, what fails, what is tried again, what is an outage."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.contracts.notification import REPLY_CODES, without_text
from services.notification.domain import DeliveryStatus
from services.notification.mail.smtp_replies import recipient_status, reply_codes, reply_status

SENT, DEFERRED, REFUSED = DeliveryStatus.SENT, DeliveryStatus.DEFERRED, DeliveryStatus.REFUSED
BOUNCED, UNTRIED = DeliveryStatus.BOUNCED, DeliveryStatus.UNTRIED


@pytest.mark.parametrize(
    ("code", "status"),
    [(250, SENT), (451, DEFERRED), (550, REFUSED), (-1, DEFERRED), (354, DEFERRED), (421, UNTRIED), (530, UNTRIED)],
)
def test_the_first_digit_of_a_reply_code_gives_the_status_except_for_some_codes(
    code: int, status: DeliveryStatus
) -> None:
    assert reply_status(code) is status


@pytest.mark.parametrize(
    ("reply", "status"),
    [
        ("550 5.1.1 no such user", BOUNCED),
        ("554 5.1.1 no such user", BOUNCED),
        ("550 5.1.10 null MX", BOUNCED),
        ("550 5.1.1", BOUNCED),
        ("550 no such user", BOUNCED),
        ("551 not local", BOUNCED),
        ("553 name not allowed", BOUNCED),
        ("550 ", BOUNCED),
        ("550 relay not permitted", REFUSED),
        ("550 5.7.1 relay not permitted", REFUSED),
        ("550 5.1.8 bad domain of the sender", REFUSED),
        ("550 5.4.1 access denied", REFUSED),
        ("550 4.1.1 contradiction", REFUSED),
        ("552 5.2.2 mailbox full", DEFERRED),
        ("552 mailbox full", DEFERRED),
        ("552 5.3.4 too big", REFUSED),
        ("550 5.2.1 mailbox disabled", REFUSED),
        ("554 5.3.2 system not accepting mail", DEFERRED),
        ("503 bad sequence of commands", DEFERRED),
        ("503 5.5.1 bad sequence of commands", DEFERRED),
        ("554 client blocked", REFUSED),
        ("501 syntax", REFUSED),
        ("521 no mail here", UNTRIED),
        ("530 5.7.0 log in first", UNTRIED),
        ("421 4.3.0 closing", UNTRIED),
        ("450 4.1.1 try later", DEFERRED),
        ("250 5.1.1 strange", SENT),
    ],
)
def test_only_a_reply_about_the_address_bounces(reply: str, status: DeliveryStatus) -> None:
    assert recipient_status(int(reply[:3]), reply[4:].encode()) is status


@given(st.integers(200, 599), st.binary())
def test_nothing_of_a_reply_is_kept_but_its_codes(code: int, text: bytes) -> None:
    kept = reply_codes(code, text)
    assert REPLY_CODES.fullmatch(kept)
    assert without_text(kept) == kept


def test_a_reason_of_an_older_version_loses_its_text_and_an_error_stays() -> None:
    assert without_text("550 5.1.1 <ada@example.org> Ada Lovelace is unknown") == "550 5.1.1"
    assert without_text("550 ada@example.org\0") == "550"
    assert without_text("no mail can be rendered: a value has a line break or NUL").startswith("no mail")
