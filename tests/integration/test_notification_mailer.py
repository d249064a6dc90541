"""The mailer against real sockets: a real mail server, and servers that fail at every step of the dialogue."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta

import msgspec
import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session

from services.notification.domain import Delivery, Fate, Letter
from services.notification.mailer import Composer, Mailer
from tests.builders import NOW

LETTER = Letter("<n-1@example.org>", "welcome", "ada@example.org", "Ada Lovelace", "correlation-1", NOW)
PATIENCE = timedelta(seconds=5)


def a_mailer(port: int, timeout: timedelta = PATIENCE) -> Mailer:
    return Mailer(("127.0.0.1", port), timeout, Composer("no-reply@eventline.local"))


class Inbox:
    """The handler that aiosmtpd calls for each mail."""

    def __init__(self) -> None:
        self.mails: list[Envelope] = []

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802  # its name
        self.mails.append(envelope)
        return "250 accepted"


class MailServer:
    """A real mail server in a thread."""

    def __init__(self, *, utf8: bool) -> None:
        self.inbox = Inbox()
        self._loop = asyncio.new_event_loop()
        self._server = self._loop.run_until_complete(
            self._loop.create_server(lambda: SMTP(self.inbox, enable_SMTPUTF8=utf8, loop=self._loop), "127.0.0.1", 0)
        )
        self.port: int = self._server.sockets[0].getsockname()[1]
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()

    def close(self) -> None:
        """End the server and its thread."""
        self._server.close()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()


@pytest.fixture(params=[True, False], ids=["utf8", "ascii"])
def server(request: pytest.FixtureRequest) -> Iterator[MailServer]:
    server = MailServer(utf8=request.param)
    yield server
    server.close()


def test_mails_arrive_over_one_connection_as_they_were_composed(server: MailServer) -> None:
    mailer = a_mailer(server.port)
    mailer.connect()
    assert mailer.deliver(LETTER) == Delivery(Fate.SENT, "250 accepted")
    mailer.connect()
    assert mailer.deliver(msgspec.structs.replace(LETTER, recipient="eve@example.org")).fate is Fate.SENT
    mailer.close()
    assert [mail.rcpt_tos for mail in server.inbox.mails] == [["ada@example.org"], ["eve@example.org"]]
    content = server.inbox.mails[0].original_content or b""
    assert b"X-Correlation-ID: correlation-1\r\n" in content
    assert content.endswith(b"\r\n")


def test_an_address_beyond_ascii_is_sent_where_the_server_can_and_refused_where_it_cannot(server: MailServer) -> None:
    mailer = a_mailer(server.port)
    mailer.connect()
    delivery = mailer.deliver(msgspec.structs.replace(LETTER, recipient="jürgen@example.org"))
    mailer.close()
    sent = [mail.rcpt_tos for mail in server.inbox.mails]
    if delivery.fate is Fate.SENT:
        assert sent == [["jürgen@example.org"]]
    else:
        assert (delivery.fate, sent) == (Fate.REFUSED, [])
        assert "SMTPUTF8" in delivery.detail


class Script:
    """A mail server of one conversation: says its greeting and then one reply per command, None hangs up."""

    def __init__(self, replies: Sequence[bytes | None]) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._replies = replies
        self._thread = threading.Thread(target=self._talk)
        self._thread.start()

    def close(self) -> None:
        """Wait for the end of the conversation."""
        self._thread.join(10)
        self._listening.close()

    def _talk(self) -> None:
        connection, _ = self._listening.accept()
        with connection, connection.makefile("rb") as heard, contextlib.suppress(ConnectionError):
            for number, reply in enumerate(self._replies):
                if number and not self._hear(heard.readline, in_content=number == len(DIALOGUE)):
                    return
                if reply is None:
                    return
                connection.sendall(reply + b"\r\n")
            connection.settimeout(10)
            while line := heard.readline():
                if line.upper() == b"QUIT\r\n":
                    connection.sendall(b"221 bye\r\n")

    @staticmethod
    def _hear(readline: Callable[[], bytes], *, in_content: bool) -> bool:
        line = readline()
        while in_content and line not in {b".\r\n", b""}:
            line = readline()
        return bool(line)


DIALOGUE = (b"220 hello", b"250 hello", b"250 sender ok", b"250 recipient ok", b"354 go on")


def attempt(*replies: bytes | None, timeout: timedelta = PATIENCE) -> Delivery:
    """Return what becomes of a mail when the dialogue goes on as usual up to these last replies."""
    script = Script(replies)
    mailer = a_mailer(script.port, timeout)
    try:
        mailer.connect()
        return mailer.deliver(LETTER)
    finally:
        mailer.close()
        script.close()


@pytest.mark.parametrize(
    ("steps", "reply", "fate"),
    [
        (2, b"451 try later", Fate.DEFERRED),
        (2, b"550 not you", Fate.REFUSED),
        (2, b"421 closing", Fate.UNTRIED),
        (2, None, Fate.UNTRIED),
        (3, b"450 mailbox busy", Fate.DEFERRED),
        (3, b"550 no such user", Fate.REFUSED),
        (3, b"421 closing", Fate.DEFERRED),
        (3, b"gibberish", Fate.DEFERRED),
        (3, b"2" * 20_000, Fate.DEFERRED),
        (3, None, Fate.DEFERRED),
        (4, b"452 no room", Fate.DEFERRED),
        (4, b"554 no mail today", Fate.REFUSED),
        (4, b"250 what a strange answer", Fate.DEFERRED),
        (4, None, Fate.DEFERRED),
        (5, b"250 taken", Fate.SENT),
        (5, b"451 try later", Fate.DEFERRED),
        (5, b"554 spam", Fate.REFUSED),
        (5, None, Fate.UNKNOWN),
        (5, b"2" * 20_000, Fate.UNKNOWN),
    ],
)
def test_each_step_of_the_dialogue_may_fail_in_its_own_way(steps: int, reply: bytes | None, fate: Fate) -> None:
    assert attempt(*DIALOGUE[:steps], reply).fate is fate


def test_a_server_that_is_silent_after_the_final_dot_leaves_the_outcome_unknown() -> None:
    assert attempt(*DIALOGUE, timeout=timedelta(milliseconds=200)).fate is Fate.UNKNOWN


@pytest.mark.parametrize(
    "replies", [(b"554 go away",), (b"421 too busy",), (None,), (b"220 hello", b"421 closing", b"421")]
)
def test_a_server_that_does_not_want_to_talk_is_away(replies: Sequence[bytes | None]) -> None:
    with pytest.raises(OSError, match=r"\w"):
        attempt(*replies)


def test_where_nobody_listens_the_server_is_away() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(ConnectionRefusedError):
        a_mailer(port).connect()
