"""The rows SMTP of BAD-INPUT about ambiguous replies: a real mail server gives each; on both databases."""

import msgspec
import pytest
from structlog.testing import capture_logs

from services.chassis.database.database import Database
from services.contracts.notification import NotificationFailed
from services.notification.mail.smtp_connection import Server
from tests.support.mail_servers import FINAL_DOT, HANG_UP, HOST, MailServer, Script
from tests.support.sender_harness import Mailroom

ADA = "ada@example.org"
STEPS = ("MAIL", ADA, "DATA", FINAL_DOT)
PERSONAL = "<ada@example.org>: Ada Lovelace \ufffd\0" + "x" * 400


@pytest.fixture
def room(database: Database) -> Mailroom:
    return Mailroom(database)


def send_all(room: Mailroom, server: MailServer, mails: int) -> None:
    """Send in claims of ten, as often as these many mails need."""
    for _ in range(-(-mails // 10)):
        room.send(Server(HOST, server.port, 5.0))


def failures(room: Mailroom) -> list[NotificationFailed]:
    events = room.last_events(1000)
    return [
        msgspec.json.decode(event.data, type=NotificationFailed)
        for event in events
        if event.type == "notification.failed"
    ]


@pytest.mark.parametrize(
    "reply", ["550 relay not permitted", "552 5.2.2 mailbox full", "503 bad sequence", "554 client blocked"]
)
def test_a_reply_that_is_not_about_the_address_flags_nobody(room: Mailroom, reply: str) -> None:
    """SMTP: 550 relay not permitted, 552 5.2.2, 503, 554 for everybody → retried or failed; nobody is flagged."""
    room.register(*range(20))
    with MailServer() as server:
        server.everybody = reply
        send_all(room, server, 20)
        assert not any(failure.permanent for failure in failures(room))
        server.everybody = None
        room.expire()
        send_all(room, server, 20)
        assert len(server.mails) >= 15, "the mails above the ceiling, or all, are tried again"


def test_a_server_that_refuses_everybody_flags_no_more_than_the_ceiling_and_the_rest_is_sent(room: Mailroom) -> None:
    """SMTP: a bare 550 for everybody → a ceiling."""
    room.register(*range(10))
    with MailServer() as server:
        server.everybody = "550 no"
        send_all(room, server, 10)
        assert [failure.permanent for failure in failures(room)] == [True] * 5
        server.everybody = None
        room.expire()
        send_all(room, server, 10)
        assert len(server.mails) == 5
    assert sorted(room.states()) == [("failed", 1)] * 5 + [("sent", 2)] * 5


@pytest.mark.parametrize("end", [HANG_UP, "421 4.7.0 one mail per connection"])
def test_a_server_that_ends_the_connection_after_each_mail_gets_all_at_once(room: Mailroom, end: str) -> None:
    """SMTP: the server closes after n mails, or answers the next MAIL with 421 → one reconnect at once; full rate."""
    room.register(*range(30))
    with MailServer() as server:
        server.after_mail = end
        send_all(room, server, 30)
        assert len(server.mails) == 30
    assert room.states() == [("sent", 1)] * 30


@pytest.mark.parametrize("step", STEPS)
def test_421_is_no_try_and_the_mail_does_not_keep_others_waiting(room: Mailroom, step: str) -> None:
    """SMTP: 421 at any step → not counted."""
    room.register(1, 2)
    with MailServer() as server:
        server.replies[step] = ["421 closing"]
        with pytest.raises(ConnectionError, match="421"):
            send_all(room, server, 1)
        assert room.states() == [("open", 0), ("open", 0)]
        send_all(room, server, 1)
        assert room.states() == [("open", 0), ("sent", 1)]
        room.expire()
        send_all(room, server, 1)
    assert room.states() == [("sent", 1), ("sent", 1)]


@pytest.mark.parametrize(
    ("step", "codes"),
    [*((step, codes) for step in STEPS for codes in ("451 4.3.0", "554 5.1.1")), (FINAL_DOT, "250 2.0.0")],
)
def test_a_reply_with_nul_and_personal_data_is_settled_with_its_codes(room: Mailroom, step: str, codes: str) -> None:
    """SMTP: a reply with NUL, addresses and names in it → settled; code and enhanced code kept."""
    room.register(1)
    with MailServer() as server, capture_logs() as lines:
        server.replies[step] = [f"{codes} {PERSONAL}"]
        send_all(room, server, 1)
    [(_, state, detail)] = room.outcomes()
    assert detail == codes
    assert [failure.reason for failure in failures(room)] == ([codes] if state == "failed" else [])
    assert "Lovelace" not in str(lines)
    assert "ada@" not in str(lines)


def test_a_greeting_with_personal_data_is_not_logged(room: Mailroom) -> None:
    """SMTP: the same where the server is not reached."""
    room.register(1)
    refused = pytest.raises(ConnectionError, match=r"SMTPConnectError: 554 5\.7\.1$")
    with Script([b"554 5.7.1 ada@example.org is blocked"]) as server, refused:
        room.send(Server(HOST, server.port, 5.0))
