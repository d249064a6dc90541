"""Mails: composed from templates, handed to an SMTP server step by step, so that each failure is told apart.

Source: RFC 5321 for the dialogue, RFC 6531 for addresses beyond ASCII. Knows nothing of queues and tries.
"""

import re
import smtplib
from datetime import timedelta
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from pathlib import Path

import msgspec
from jinja2 import FileSystemLoader, StrictUndefined, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from services.notification.domain import Delivery, Fate, Letter, fate_of

TEMPLATES = Path(__file__).parent / "templates"
LONGEST_DETAIL = 300  # characters kept of a server's words
READY_FOR_DATA = 354
CLOSING = 421

Reply = tuple[int, bytes]


class CannotComposeError(ValueError):
    """No mail can be made of a letter; the message says why."""


class Mail(msgspec.Struct, frozen=True):
    """A mail with its envelope. `content` is as it travels after DATA."""

    sender: str
    recipient: str
    content: bytes
    needs_utf8: bool


class Composer:
    """Makes mails of letters."""

    def __init__(self, mail_from: str, locale: str = "en") -> None:
        self._mail_from = mail_from
        self._templates = ImmutableSandboxedEnvironment(
            loader=FileSystemLoader(TEMPLATES / locale),
            undefined=StrictUndefined,
            autoescape=False,  # plain text: there is nothing to escape
        )

    def compose(self, letter: Letter) -> Mail:
        """Return the mail of a letter. Raises CannotComposeError, for one thing where a header would be injected."""
        utf8 = not (letter.recipient.isascii() and self._mail_from.isascii())
        try:
            message = self._message(letter)
            content = message.as_bytes(policy=SMTPUTF8 if utf8 else SMTP)
        except (ValueError, IndexError, MessageError, TemplateError) as error:
            # An IndexError is how the address parser fails on some addresses that are none.
            raise CannotComposeError(f"no mail can be made of it: {error}") from error
        return Mail(self._mail_from, letter.recipient, dotted(content), utf8)

    def _message(self, letter: Letter) -> EmailMessage:
        text = self._templates.get_template(f"{letter.template}.txt").render(full_name=letter.full_name)
        subject, _, body = text.partition("\n\n")
        message = EmailMessage()
        message["Date"] = letter.queued_at
        message["Message-ID"] = letter.message_id
        message["From"] = address_of(self._mail_from)
        message["To"] = address_of(letter.recipient)
        message["Subject"] = subject.removeprefix("Subject: ")
        message["X-Correlation-ID"] = letter.correlation_id
        message.set_content(body + "\n")
        return message


class Mailer:
    """One connection to a mail server, opened when needed. Not thread-safe: every sender has its own."""

    def __init__(self, address: tuple[str, int], timeout: timedelta, composer: Composer) -> None:
        self._address = address
        self._timeout = timeout.total_seconds()
        self._composer = composer
        self._smtp: smtplib.SMTP | None = None

    def connect(self) -> None:
        """Be connected. Raises OSError when the server is away or does not want to talk."""
        if self._smtp is None:
            smtp = smtplib.SMTP(*self._address, timeout=self._timeout)
            try:
                smtp.ehlo_or_helo_if_needed()
            except OSError:
                smtp.close()
                raise
            self._smtp = smtp

    def deliver(self, letter: Letter) -> Delivery:
        """Hand a mail over on the open connection."""
        try:
            mail = self._composer.compose(letter)
        except CannotComposeError as error:
            return Delivery(Fate.REFUSED, str(error))
        if self._smtp is None:
            return Delivery(Fate.UNTRIED, "not connected")
        delivery = _hand_over(self._smtp, mail)
        if delivery.fate is not Fate.SENT:
            # Whatever state the dialogue is in, the next mail starts afresh, and QUIT would wait for an answer.
            self._smtp.close()
            self._smtp = None
        return delivery

    def close(self) -> None:
        """Leave the server, politely where it still listens."""
        if self._smtp is not None:
            smtp, self._smtp = self._smtp, None
            try:
                smtp.quit()
            except OSError:
                smtp.close()


def _hand_over(smtp: smtplib.SMTP, mail: Mail) -> Delivery:
    if mail.needs_utf8 and not smtp.has_extn("smtputf8"):
        return Delivery(Fate.REFUSED, "the address needs SMTPUTF8, which the mail server does not offer")
    try:
        if problem := _announce(smtp, mail):
            return problem
        smtp.send(mail.content)  # the final dot stands at its end: when this fails, the mail was not taken
    except OSError as error:
        return Delivery(Fate.DEFERRED, words(error))
    try:
        code, reply = smtp.getreply()
    except OSError as error:
        return Delivery(Fate.UNKNOWN, f"no answer to the final dot: {words(error)}")
    return Delivery(fate_of(code), said(code, reply))


def _announce(smtp: smtplib.SMTP, mail: Mail) -> Delivery | None:
    """Return why the server does not want the content, None when it waits for it."""
    try:
        code, reply = smtp.mail(mail.sender, ["SMTPUTF8"] if mail.needs_utf8 else [])
    except OSError as error:
        return Delivery(Fate.UNTRIED, words(error))
    if code == CLOSING:
        return Delivery(Fate.UNTRIED, said(code, reply))
    if fate_of(code) is Fate.SENT:
        code, reply = smtp.rcpt(mail.recipient)
    if fate_of(code) is Fate.SENT:
        code, reply = smtp.docmd("DATA")
        if code == READY_FOR_DATA:
            return None
    fate = fate_of(code)
    return Delivery(Fate.DEFERRED if fate is Fate.SENT else fate, said(code, reply))


def address_of(text: str) -> Address:
    """Return a single address, without a name. Raises ValueError, IndexError or MessageError for anything else."""
    parsed = Address(addr_spec=re.sub(r"[^\x00-\x7f]", "x", text))  # the parser refuses letters that SMTPUTF8 allows
    if text.isascii():
        return parsed
    name, _, domain = text.rpartition("@")
    return Address(username=name, domain=domain)


def dotted(content: bytes) -> bytes:
    """Return a mail as it travels after DATA: lines that begin with a dot get another, the end is a lone dot."""
    ended = content if content.endswith(b"\r\n") else content + b"\r\n"
    return re.sub(rb"(?m)^\.", b"..", ended) + b".\r\n"


def said(code: int, reply: bytes) -> str:
    """Return a server's reply for a person."""
    return f"{code} {reply.decode(errors='replace')}"[:LONGEST_DETAIL]


def words(error: OSError) -> str:
    """Return an error for a person."""
    return f"{type(error).__name__}: {error}"[:LONGEST_DETAIL]
