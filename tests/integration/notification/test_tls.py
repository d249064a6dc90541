"""TLS and login at the mail server, with certificates that the test makes: valid, or not sent with the reason."""

import base64
import ssl
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
import structlog
import trustme

from services.chassis.database.database import Database
from services.notification.mail.refusal_ceiling import RefusalCeiling
from services.notification.mail.sender import Sender
from services.notification.mail.smtp_connection import Login, Server, connect
from services.notification.mail.smtp_delivery import Mailer
from services.notification.mail.templates import Composer
from tests.support.builders import a_telemetry
from tests.support.mail_servers import MailServer
from tests.support.sender_harness import MAIL_FROM, Mailroom

HOST = "localhost"
PASSWORD = "correct horse battery staple"  # noqa: S105  # the test's own
LOGIN = Login("ada", PASSWORD)
MODES = pytest.mark.parametrize("tls_first", [False, True], ids=["starttls", "tls"])
AUTHORITY = trustme.CA()


def server_side(name: str = HOST, authority: trustme.CA = AUTHORITY, until: datetime | None = None) -> ssl.SSLContext:
    """Return the TLS context of a mail server."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    since = None if until is None else datetime(2000, 1, 1, tzinfo=UTC)
    authority.issue_cert(name, not_before=since, not_after=until).configure_cert(context)
    return context


@pytest.fixture
def trust(tmp_path: Path) -> ssl.SSLContext:
    """Return a context that trusts the authority's file, as APP_SMTP_CA_FILE names it."""
    AUTHORITY.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return ssl.create_default_context(cafile=tmp_path / "ca.pem")


@pytest.fixture
def room(database: Database) -> Mailroom:
    room = Mailroom(database)
    room.register(1)
    return room


@MODES
def test_a_mail_is_sent_encrypted_to_a_server_that_accepts_the_login(
    room: Mailroom, trust: ssl.SSLContext, *, tls_first: bool
) -> None:
    certificate = server_side()
    with MailServer(certificate=certificate, tls_first=tls_first, login=("ada", PASSWORD)) as server:
        room.send(Server(HOST, server.port, 5.0, trust, tls_first=tls_first, login=LOGIN))
        assert server.steps[0] == "AUTH"
        assert len(server.mails) == 1
    assert room.states() == [("sent", 1)]


@MODES
@pytest.mark.parametrize(
    ("certificate", "text"),
    [
        (server_side(authority=trustme.CA()), "unable to get local issuer certificate"),
        (server_side(until=datetime(2020, 1, 1, tzinfo=UTC)), "certificate has expired"),
        (server_side("mail.example.org"), "Hostname mismatch, certificate is not valid for 'localhost'"),
    ],
    ids=["wrong CA", "expired", "wrong host name"],
)
def test_an_invalid_certificate_sends_nothing_with_the_reason_and_a_valid_one_sends_it_later(
    room: Mailroom, trust: ssl.SSLContext, certificate: ssl.SSLContext, text: str, *, tls_first: bool
) -> None:
    """TLS: wrong CA, expired certificate, host name that does not match → the error names it, no plaintext."""
    with MailServer(certificate=certificate, tls_first=tls_first) as server:
        with pytest.raises(ConnectionError, match=text):
            room.send(Server(HOST, server.port, 5.0, trust, tls_first=tls_first))
        assert server.steps == []
    assert room.states() == [("open", 0)]
    with MailServer(certificate=server_side(), tls_first=tls_first) as server:
        room.send(Server(HOST, server.port, 5.0, trust, tls_first=tls_first))
    assert room.states() == [("sent", 1)]


@MODES
def test_a_server_without_tls_receives_no_mail(trust: ssl.SSLContext, *, tls_first: bool) -> None:
    """TLS: never falls back to plaintext."""
    text = "no TLS with mail server localhost" if tls_first else "STARTTLS extension not supported by server"
    with MailServer() as server:
        with pytest.raises(ConnectionError, match=text):
            connect(Server(HOST, server.port, 5.0, trust, tls_first=tls_first, login=LOGIN))
        assert server.steps == []


def secrets_in(lines: object) -> list[str]:
    encoded = base64.b64encode(f"\0ada\0{PASSWORD}".encode()).decode()
    return [secret for secret in (PASSWORD, encoded) if secret in repr(lines)]


@pytest.mark.parametrize("answer", [None, "535 5.7.8 what is AUTH PLAIN {}?", "334 A", "334 Zm9v"])
def test_a_refused_login_sends_nothing_and_no_secret_is_logged(
    room: Mailroom, trust: ssl.SSLContext, answer: str | None
) -> None:
    """The server's reply is left out, because it may repeat its input."""
    encoded = base64.b64encode(f"\0ada\0{PASSWORD}".encode()).decode()
    stop = threading.Event()

    class Once(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            stop.set()
            self.set()
            return super().wait(timeout)

    with MailServer(certificate=server_side(), login=("ada", "another")) as server:
        server.replies["AUTH"] = [answer.format(encoded)] * 4 if answer else []
        target = Server(HOST, server.port, 5.0, trust, login=LOGIN)
        sender = Sender(
            "s",
            room.pool(),
            Mailer(target, Composer(MAIL_FROM), RefusalCeiling(10, a_telemetry())),
            a_telemetry(),
        )
        with structlog.testing.capture_logs() as lines:
            sender.run(Once())
        assert set(server.steps) == {"AUTH"}
    assert room.states() == [("open", 0)]
    assert len(lines) == 1
    assert "login" in lines[0]["error"]
    assert secrets_in((lines, target)) == []
