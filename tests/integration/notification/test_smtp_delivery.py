"""The mailer against real sockets: a real mail server, and servers that fail at every step of the dialogue."""

import socket
from collections.abc import Iterator, Sequence

import msgspec
import pytest

from services.notification.domain import DeliveryResult, DeliveryStatus
from services.notification.mail.refusal_ceiling import RefusalCeiling
from services.notification.mail.smtp_connection import Server
from services.notification.mail.smtp_delivery import Mailer
from services.notification.mail.templates import Composer
from tests.support.builders import a_telemetry
from tests.support.certificates import Tapped
from tests.support.mail_servers import DIALOGUE, HOST, MailServer, Script
from tests.support.notification_builders import a_claimed_intent

INTENT = a_claimed_intent()
PATIENCE_S = 5.0


def a_mailer(port: int, timeout_s: float = PATIENCE_S) -> Mailer:
    return Mailer(Server(HOST, port, timeout_s), Composer("hello@eventline.local"), RefusalCeiling(10, a_telemetry()))


@pytest.fixture(params=[True, False], ids=["utf8", "ascii"])
def server(request: pytest.FixtureRequest) -> Iterator[MailServer]:
    with MailServer(utf8=request.param) as server:
        yield server


def test_mails_arrive_over_one_connection_as_they_were_composed(server: MailServer) -> None:
    mailer = a_mailer(server.port)
    mailer.connect()
    assert mailer.deliver(INTENT) == DeliveryResult(DeliveryStatus.SENT, "250")
    mailer.connect()
    assert mailer.deliver(msgspec.structs.replace(INTENT, recipient="eve@example.org")).status is DeliveryStatus.SENT
    mailer.close()
    assert [mail.rcpt_tos for mail in server.mails] == [["ada@example.org"], ["eve@example.org"]]
    content = server.mails[0].original_content or b""
    assert b"X-Correlation-ID: correlation-1\r\n" in content
    assert content.endswith(b"\r\n")


def test_an_address_beyond_ascii_is_sent_where_the_server_can_and_refused_where_it_cannot(server: MailServer) -> None:
    mailer = a_mailer(server.port)
    mailer.connect()
    result = mailer.deliver(msgspec.structs.replace(INTENT, recipient="jürgen@example.org"))
    mailer.close()
    sent = [mail.rcpt_tos for mail in server.mails]
    if result.status is DeliveryStatus.SENT:
        assert sent == [["jürgen@example.org"]]
    else:
        assert (result.status, sent) == (DeliveryStatus.REFUSED, [])
        assert "SMTPUTF8" in result.detail


def attempt(*replies: bytes | None, timeout_s: float = PATIENCE_S) -> DeliveryResult:
    """Return the result of a mail whose dialogue has these replies."""
    with Script(replies) as script:
        mailer = a_mailer(script.port, timeout_s)
        try:
            mailer.connect()
            return mailer.deliver(INTENT)
        finally:
            mailer.close()


@pytest.mark.parametrize(
    ("steps", "reply", "status"),
    [
        (2, b"451 try later", DeliveryStatus.DEFERRED),
        (2, b"550 not you", DeliveryStatus.REFUSED),
        (2, b"421 closing", DeliveryStatus.UNTRIED),
        (2, None, DeliveryStatus.UNTRIED),
        (3, b"450 mailbox busy", DeliveryStatus.DEFERRED),
        (2, b"530 who are you", DeliveryStatus.UNTRIED),
        (3, b"550 no such user", DeliveryStatus.BOUNCED),
        (3, b"550 5.1.1 no such user", DeliveryStatus.BOUNCED),
        (3, b"554 5.7.1 we do not like your network", DeliveryStatus.REFUSED),
        (3, b"421 closing", DeliveryStatus.UNTRIED),
        (3, b"530 who are you", DeliveryStatus.UNTRIED),
        (3, b"503 wrong order", DeliveryStatus.DEFERRED),
        (3, b"550 relay not permitted", DeliveryStatus.REFUSED),
        (3, b"552 5.2.2 mailbox full", DeliveryStatus.DEFERRED),
        (3, b"554 client blocked", DeliveryStatus.REFUSED),
        (3, b"gibberish", DeliveryStatus.DEFERRED),
        (3, None, DeliveryStatus.DEFERRED),
        (4, b"452 no room", DeliveryStatus.DEFERRED),
        (4, b"554 no mail today", DeliveryStatus.REFUSED),
        (4, b"250 what a strange answer", DeliveryStatus.DEFERRED),
        (4, b"421 closing", DeliveryStatus.UNTRIED),
        (4, None, DeliveryStatus.DEFERRED),
        (5, b"250 taken", DeliveryStatus.SENT),
        (5, b"451 try later", DeliveryStatus.DEFERRED),
        (5, b"421 closing", DeliveryStatus.UNTRIED),
        (5, b"554 spam", DeliveryStatus.REFUSED),
        (5, None, DeliveryStatus.UNKNOWN),
        (5, b"gibberish", DeliveryStatus.UNKNOWN),
    ],
)
def test_each_step_of_the_dialogue_may_fail_in_its_own_way(
    steps: int, reply: bytes | None, status: DeliveryStatus
) -> None:
    assert attempt(*DIALOGUE[:steps], reply).status is status


PIPELINING = (DIALOGUE[0], b"250-hello\r\n250 PIPELINING", *DIALOGUE[2:])


@pytest.mark.parametrize(
    ("steps", "replies", "status"),
    [
        (5, (b"250 taken",), DeliveryStatus.SENT),
        (2, (b"451 try later", b"503 no sender", b"503 no sender"), DeliveryStatus.DEFERRED),
        (3, (b"550 5.1.1 no such user", b"354 go on"), DeliveryStatus.BOUNCED),
        (3, (b"550 5.1.1 no such user", b"554 no valid recipients"), DeliveryStatus.BOUNCED),
        (4, (b"452 no room",), DeliveryStatus.DEFERRED),
        (2, (None,), DeliveryStatus.UNTRIED),
        (3, (None,), DeliveryStatus.DEFERRED),
        (5, (None,), DeliveryStatus.UNKNOWN),
    ],
)
def test_with_pipelining_each_reply_has_the_same_meaning(
    steps: int, replies: Sequence[bytes | None], status: DeliveryStatus
) -> None:
    assert attempt(*PIPELINING[:steps], *replies).status is status


@pytest.mark.parametrize(
    ("dialogue", "status"),
    [(DIALOGUE, DeliveryStatus.UNTRIED), (PIPELINING, DeliveryStatus.DEFERRED)],
    ids=["", "piped"],
)
def test_a_silence_that_the_recipient_may_have_caused_counts_as_a_try(
    dialogue: Sequence[bytes], status: DeliveryStatus
) -> None:
    assert attempt(*dialogue[:2], timeout_s=0.2).status is status


def test_with_pipelining_sender_recipient_and_data_leave_together(server: MailServer) -> None:
    proxy = Tapped(server.port)
    mailer = a_mailer(proxy.port)
    mailer.connect()
    assert mailer.deliver(INTENT).status is DeliveryStatus.SENT
    mailer.close()
    proxy.close()
    assert b"MAIL FROM:<hello@eventline.local>\r\nRCPT TO:<ada@example.org>\r\nDATA\r\n" in proxy.pieces


def test_a_server_that_is_silent_after_the_final_dot_leaves_the_outcome_unknown() -> None:
    assert attempt(*DIALOGUE, timeout_s=0.2).status is DeliveryStatus.UNKNOWN


@pytest.mark.parametrize(
    "replies", [(b"554 not here",), (b"421 too busy",), (None,), (b"220 hello", b"421 closing", b"421")]
)
def test_a_server_that_refuses_the_dialogue_is_unreachable(replies: Sequence[bytes | None]) -> None:
    with pytest.raises(ConnectionError, match=r"mail server 127.0.0.1:\d+: \w"):
        attempt(*replies)


def test_a_reply_of_many_lines_is_cut_and_the_mail_goes_on() -> None:
    endless = b"".join(b"250-%d\r\n" % number for number in range(100_000)) + b"250 hello"
    assert attempt(DIALOGUE[0], endless, *DIALOGUE[2:], b"250 taken").status is DeliveryStatus.SENT


def test_a_refused_connection_is_an_unreachable_server() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(ConnectionError, match="ConnectionRefusedError"):
        a_mailer(port).connect()


def test_a_domain_beyond_ascii_is_sent_as_a_labels_to_any_server(server: MailServer) -> None:
    mailer = a_mailer(server.port)
    mailer.connect()
    result = mailer.deliver(msgspec.structs.replace(INTENT, recipient="ada@bücher.example"))
    mailer.close()
    assert result.status is DeliveryStatus.SENT
    [mail] = server.mails
    assert mail.rcpt_tos == ["ada@xn--bcher-kva.example"]
    assert b"\r\nTo: ada@xn--bcher-kva.example\r\n" in (mail.original_content or b"")
