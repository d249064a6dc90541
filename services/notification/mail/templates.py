"""Mails composed from templates: text with HTML beside it, in the user's language. Knows nothing of servers.

The templates of a locale are in the folder of its name, in lower case. A `.txt` begins with the subject.
"""

import hashlib
import re
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from pathlib import Path

import msgspec
from jinja2 import FileSystemLoader, StrictUndefined, TemplateError, select_autoescape
from jinja2.sandbox import ImmutableSandboxedEnvironment

from services.notification.domain import Letter, locale_of

TEMPLATES = Path(__file__).parent / "templates"
ENCODING = "quoted-printable"  # lines of any length and letters of any script, through any server


class CannotComposeError(ValueError):
    """No mail can be made of a letter; the message has the reason."""


class Mail(msgspec.Struct, frozen=True):
    """A mail with its envelope. `content` is as it travels after DATA."""

    sender: str
    recipient: str
    content: bytes
    needs_utf8: bool


class Composer:
    """Makes mails of letters; of the same letter the same bytes."""

    def __init__(self, mail_from: str) -> None:
        self._mail_from = mail_from
        self._locales = frozenset(folder.name for folder in TEMPLATES.iterdir() if folder.is_dir())
        self._templates = ImmutableSandboxedEnvironment(
            loader=FileSystemLoader(TEMPLATES),
            undefined=StrictUndefined,
            autoescape=select_autoescape(("html",)),
            trim_blocks=True,
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
        locale = locale_of(letter.locale, self._locales)
        text = self._render(f"{locale}/{letter.template}.txt", full_name=letter.full_name)
        subject, _, body = text.removeprefix("Subject: ").partition("\n\n")
        html = self._render(
            f"{locale}/{letter.template}.html", full_name=letter.full_name, locale=locale, subject=subject
        )
        message = EmailMessage()
        message["Date"] = letter.queued_at
        message["Message-ID"] = letter.message_id
        message["From"] = address_of(self._mail_from)
        message["To"] = address_of(letter.recipient)
        message["Subject"] = subject
        message["X-Correlation-ID"] = letter.correlation_id
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no answering machine need answer
        message.set_content(body + "\n", cte=ENCODING)
        message.add_alternative(html + "\n", subtype="html", cte=ENCODING)
        message["Content-Language"] = locale
        message.set_boundary("=_" + hashlib.sha256(letter.message_id.encode()).hexdigest()[:32])
        return message

    def _render(self, template: str, **values: str | None) -> str:
        return self._templates.get_template(template).render(values)


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
