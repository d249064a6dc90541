"""Renders mails from templates: text with an HTML alternative, in the user's language.

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

from services.notification.domain import ClaimedIntent, locale_of

TEMPLATES = Path(__file__).parent / "templates"
ENCODING = "quoted-printable"  # any length of line and any script pass any server


class CannotComposeError(ValueError):
    """No mail can be rendered; the message has the reason."""


class Mail(msgspec.Struct, frozen=True):
    """A rendered mail with its SMTP envelope. `content` is the bytes after DATA, dot-stuffed and ended."""

    sender: str
    recipient: str
    content: bytes
    needs_utf8: bool


class Composer:
    """Renders the mail of an intent; the same intent gives the same bytes at every try."""

    def __init__(self, mail_from: str) -> None:
        self._mail_from = mail_from
        self._locales = frozenset(folder.name for folder in TEMPLATES.iterdir() if folder.is_dir())
        self._templates = ImmutableSandboxedEnvironment(
            loader=FileSystemLoader(TEMPLATES),
            undefined=StrictUndefined,
            autoescape=select_autoescape(("html",)),
            trim_blocks=True,
        )

    def compose(self, intent: ClaimedIntent) -> Mail:
        """Return the mail of an intent. Raises CannotComposeError, also if a value would inject a header."""
        utf8 = not (intent.recipient.isascii() and self._mail_from.isascii())
        try:
            message = self._message(intent)
            content = message.as_bytes(policy=SMTPUTF8 if utf8 else SMTP)
        except (ValueError, IndexError, MessageError, TemplateError) as error:
            # The address parser raises IndexError for some invalid addresses.
            raise CannotComposeError(f"no mail can be rendered: {error}") from error
        return Mail(self._mail_from, intent.recipient, dot_stuffed(content), utf8)

    def _message(self, intent: ClaimedIntent) -> EmailMessage:
        locale = locale_of(intent.locale, self._locales)
        text = self._render(f"{locale}/{intent.template}.txt", full_name=intent.full_name)
        subject, _, body = text.removeprefix("Subject: ").partition("\n\n")
        html = self._render(
            f"{locale}/{intent.template}.html", full_name=intent.full_name, locale=locale, subject=subject
        )
        message = EmailMessage()
        message["Date"] = intent.queued_at
        message["Message-ID"] = intent.message_id
        message["From"] = address_of(self._mail_from)
        message["To"] = address_of(intent.recipient)
        message["Subject"] = subject
        message["X-Correlation-ID"] = intent.correlation_id
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: suppresses automatic replies
        message.set_content(body + "\n", cte=ENCODING)
        message.add_alternative(html + "\n", subtype="html", cte=ENCODING)
        message["Content-Language"] = locale
        message.set_boundary("=_" + hashlib.sha256(intent.message_id.encode()).hexdigest()[:32])
        return message

    def _render(self, template: str, **values: str | None) -> str:
        return self._templates.get_template(template).render(values)


def address_of(text: str) -> Address:
    """Return a single address, without a name. Raises ValueError, IndexError or MessageError for anything else."""
    parsed = Address(addr_spec=re.sub(r"[^\x00-\x7f]", "x", text))  # the parser refuses characters that SMTPUTF8 allows
    if text.isascii():
        return parsed
    name, _, domain = text.rpartition("@")
    return Address(username=name, domain=domain)


def dot_stuffed(content: bytes) -> bytes:
    """Return content for DATA (RFC 5321, section 4.5.2): leading dots doubled, ended by a line with one dot."""
    ended = content if content.endswith(b"\r\n") else content + b"\r\n"
    return re.sub(rb"(?m)^\.", b"..", ended) + b".\r\n"
