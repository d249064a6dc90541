"""The row SMTP of BAD-INPUT: a real mail server misbehaves; the state of store and log afterwards, on both databases.

Each test names its case in its docstring.
"""

import socket
import time
import tracemalloc

import msgspec
import pytest
from aiosmtpd.smtp import Envelope

from services.chassis.database.database import Database
from services.contracts.notification import NotificationFailed
from services.notification.mail.smtp_connection import Server
from tests.support.mail_servers import DIALOGUE, FINAL_DOT, HANG_UP, HOST, MailServer, Script
from tests.support.sender_harness import Mailroom, user

OLD, NEW = "ada@example.org", "ada2@example.org"
STEPS = ("MAIL", OLD, "DATA", FINAL_DOT)
LONG_LINE = b"250 " + b"x" * 10 * 1024 * 1024
MEMORY = 512 * 1024  # bytes that a reply of 10 MB may cost


@pytest.fixture
def room(database: Database) -> Mailroom:
    room = Mailroom(database)
    room.register(1)
    return room


def at(port: int, timeout_s: float = 5.0) -> Server:
    return Server(HOST, port, timeout_s)


def message_ids(mails: list[Envelope]) -> list[bytes]:
    lines = [line for mail in mails for line in (mail.original_content or b"").splitlines()]
    return [line for line in lines if line.startswith(b"Message-ID: ")]


@pytest.mark.parametrize("step", STEPS)
def test_4xx_is_retried(room: Mailroom, step: str) -> None:
    """SMTP: 4xx → retry, at every step of the dialogue."""
    with MailServer() as server:
        server.replies[step] = ["451 try later"]
        room.send(at(server.port))
        assert room.outcomes() == [(OLD, "open", "451")]
        assert room.queue.claim(1) == [], "the backoff has been skipped"
        room.expire()
        room.send(at(server.port))
        assert len(server.mails) == 1
    assert room.states() == [("sent", 2)]


@pytest.mark.parametrize("step", STEPS)
def test_5xx_fails_at_once(room: Mailroom, step: str) -> None:
    """SMTP: 5xx → failed, at every step; the address is at fault where it was the recipient that was refused."""
    with MailServer() as server:
        server.replies[step] = ["550 never"]
        room.send(at(server.port))
        room.expire()
        room.send(at(server.port))
        assert server.mails == []
    assert room.states() == [("failed", 1)]
    fact = msgspec.json.decode(room.last_events(1)[0].data, type=NotificationFailed)
    assert (fact.reason, fact.permanent) == ("550", step == OLD)


@pytest.mark.parametrize(
    ("greeting", "pace_s"), [((), 0.0), ((b"220 " + b"x" * 1000,), 0.05)], ids=["silent", "dripping"]
)
def test_a_slow_banner_is_waited_for_so_long_and_the_mail_waits(
    room: Mailroom, greeting: tuple[bytes, ...], pace_s: float
) -> None:
    """SMTP: slow banner → time-out and retry; bytes that drip in don't prolong the time-out."""
    started = time.monotonic()
    with Script(greeting, pace_s) as slow, pytest.raises(ConnectionError, match=r"timed out|within 0.5 s"):
        room.send(at(slow.port, 0.5))
    assert time.monotonic() - started < 10, "the time-out did not end it"
    assert room.states() == [("open", 0)], "the server never heard of the mail: no try is counted"
    with MailServer() as server:
        room.send(at(server.port))
    assert room.states() == [("sent", 1)]


def test_a_drop_after_the_final_dot_leaves_it_unknown_and_it_goes_out_once_more(room: Mailroom) -> None:
    """SMTP: drop after the final dot → `unknown`, then once more with the same Message-ID."""
    with MailServer() as server:
        server.replies[FINAL_DOT] = [HANG_UP]
        room.send(at(server.port))
        assert room.states() == [("unknown", 1)]
        room.expire()
        room.send(at(server.port))
        first, second = message_ids(server.seen)
        assert first == second
        assert len(server.mails) == 1
    assert room.states() == [("sent", 2)]


@pytest.mark.parametrize("step", range(len(DIALOGUE) + 1))
def test_a_reply_line_of_10_mb_is_cut_and_costs_no_memory(room: Mailroom, step: int) -> None:
    """SMTP: 10 MB reply line → cut, at every step of the dialogue; the mail is sent all the same."""
    usual = [*DIALOGUE, b"250 taken"]
    replies = [*usual[:step], usual[step][:4] + LONG_LINE[4:], *usual[step + 1 :]]
    tracemalloc.start()
    with Script(replies) as server:
        room.send(at(server.port))
        _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    [(_, state, detail)] = room.outcomes()
    assert state == "sent"
    assert len(detail) <= 300
    assert peak < MEMORY, f"{peak} bytes"


def test_of_two_recipients_one_is_refused_and_the_other_gets_it(room: Mailroom) -> None:
    """SMTP: one of two recipients refused → per-recipient outcome, in the store and on the log."""
    room.move(1, 2)
    with MailServer() as server:
        room.send(at(server.port))
        server.replies[OLD] = ["550 5.1.1 no such user"]
        room.send(at(server.port))
        room.send(at(server.port))
        assert [mail.rcpt_tos for mail in server.mails] == [[OLD], [NEW]]
    welcome, to_old, to_new = room.outcomes()
    assert welcome == (OLD, "sent", "250")
    assert to_old == (OLD, "failed", "550 5.1.1")
    assert to_new == (NEW, "sent", "250")
    failed, sent = room.last_events(2)
    assert (failed.type, sent.type) == ("notification.failed", "notification.sent")
    assert failed.subject == sent.subject == user(1)
    assert sent.version == failed.version + 1


def test_a_refused_connection_costs_no_try_and_the_mail_is_sent_when_the_server_is_back(room: Mailroom) -> None:
    """SMTP: connection refused → retry."""
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
    for _ in range(3):
        with pytest.raises(ConnectionError, match=rf"mail server {HOST}:{port}: ConnectionRefusedError"):
            room.send(at(port))
    assert room.states() == [("open", 0)]
    with MailServer(port) as server:
        room.send(at(port))
        assert len(server.mails) == 1
    assert room.states() == [("sent", 1)]
