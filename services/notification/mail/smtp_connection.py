"""Connects to a mail server, with TLS and login as configured; errors name the cause and the setting to check.

Sources: RFC 3207 for STARTTLS, RFC 8314 for TLS from the first byte, RFC 4954 for AUTH. If TLS is
configured, nothing is sent in plaintext. Every reply of the server is bounded in bytes and in time.
"""

import smtplib
import socket
import ssl
import time

import msgspec

from services.notification.mail.smtp_replies import reply_codes

LONGEST_DETAIL = 300  # characters kept of an error
LONGEST_LINE = 4096  # bytes kept of a line; RFC 5321 allows 512
LARGEST_REPLY = 65536  # bytes kept of a reply of many lines

Reply = tuple[int, bytes]


class Login(msgspec.Struct, frozen=True):
    """Login at the mail server."""

    user: str
    password: str

    def __repr__(self) -> str:
        """Return the text for a log."""
        return f"Login({self.user!r}, …)"


class Server(msgspec.Struct, frozen=True):
    """A mail server. `timeout_s` bounds each reply; without `trust` nothing is encrypted.

    `trust` has the accepted authorities; `tls_first`: TLS begins with the first byte and not by STARTTLS.
    """

    host: str
    port: int
    timeout_s: float
    trust: ssl.SSLContext | None = None
    tls_first: bool = False
    login: Login | None = None


def connect(server: Server) -> smtplib.SMTP:
    """Return a connection that is ready for a mail. Raises ConnectionError, which names the cause."""
    place = f"mail server {server.host}:{server.port}"
    try:
        return _ready(server)
    except smtplib.SMTPAuthenticationError as error:
        # Its reply is left out: some servers repeat their input.
        advice = "check APP_SMTP_USER and APP_SMTP_PASSWORD"
        raise ConnectionError(f"{place} refuses the login with {error.smtp_code}: {advice}") from None
    except ssl.SSLCertVerificationError as error:
        advice = "check APP_SMTP_HOST and APP_SMTP_CA_FILE"
        raise ConnectionError(f"{place} has a certificate that is refused: {error.verify_message}: {advice}") from error
    except ssl.SSLError as error:
        raise ConnectionError(f"no TLS with {place}: {error.reason or error}: check APP_SMTP_TLS") from error
    except OSError as error:
        raise ConnectionError(f"{place}: {error_text(error)}") from error


def error_text(error: OSError) -> str:
    """Return an error as text of at most LONGEST_DETAIL characters, without the text of a reply."""
    text = str(error)
    if isinstance(error, smtplib.SMTPResponseException):
        reply = error.smtp_error
        text = reply_codes(error.smtp_code, reply if isinstance(reply, bytes) else reply.encode())
    return f"{type(error).__name__}: {text}"[:LONGEST_DETAIL]


class Client(smtplib.SMTP):
    """smtplib's client, with replies that are bounded."""

    def getreply(self) -> Reply:
        """Return code and text of the next reply, cut if too long. Raises TimeoutError."""
        if self.file is None and self.sock is not None:  # after STARTTLS too: plaintext that is buffered is dropped
            self.file = _Replies(self.sock, self.timeout)
        if self.file is not None:
            self.file.begin()
        return super().getreply()


class TlsClient(Client, smtplib.SMTP_SSL):
    """The same with TLS from the first byte."""


class _Replies:
    """The file that smtplib reads lines from. The time-out bounds a whole reply, not each byte."""

    def __init__(self, connection: socket.socket, timeout_s: float) -> None:
        self._connection = connection
        self._timeout_s = timeout_s
        self._until = 0.0
        self._kept = 0
        self._rest = b""

    def begin(self) -> None:
        """Start the time-out and the byte limit of the next reply."""
        self._until, self._kept = time.monotonic() + self._timeout_s, 0

    def readline(self, _limit: int) -> bytes:
        """Return the next line, or b"" at the end. Raises TimeoutError."""
        line = self._line()
        while self._kept > LARGEST_REPLY and line[3:4] == b"-":
            line = self._line()
        self._kept += len(line)
        return line

    def close(self) -> None:
        """Do nothing: the connection is smtplib's to close."""

    def _line(self) -> bytes:
        start = b""
        while b"\n" not in self._rest:
            start = (start + self._rest)[:LONGEST_LINE]
            self._rest = self._receive()
            if not self._rest:
                return b""
        end, _, self._rest = self._rest.partition(b"\n")
        return (start + end)[:LONGEST_LINE] + b"\n"

    def _receive(self) -> bytes:
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError(f"no whole reply within {self._timeout_s:g} s")
        self._connection.settimeout(left)
        try:
            return self._connection.recv(LONGEST_LINE)
        finally:
            self._connection.settimeout(self._timeout_s)


def _ready(server: Server) -> smtplib.SMTP:
    smtp = _open(server)
    try:
        smtp.ehlo_or_helo_if_needed()
        if server.trust and not server.tls_first:
            smtp.starttls(context=server.trust)
            smtp.ehlo_or_helo_if_needed()
        if server.login:
            _log_in(smtp, server.login)
    except OSError:
        smtp.close()
        raise
    return smtp


def _open(server: Server) -> smtplib.SMTP:
    if server.trust and server.tls_first:
        return TlsClient(server.host, server.port, timeout=server.timeout_s, context=server.trust)
    return Client(server.host, server.port, timeout=server.timeout_s)


def _log_in(smtp: smtplib.SMTP, login: Login) -> None:
    try:
        smtp.login(login.user, login.password)
    except ValueError as error:  # a challenge that is not base64
        raise ConnectionError("its challenge to the login cannot be read") from error
