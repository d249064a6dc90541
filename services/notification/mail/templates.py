"""Renders mails from templates: text with an HTML alternative, in the user's language.

The templates of a locale are in the folder of its name, in lower case. A `.txt` begins with the subject.
"""

import hashlib
import re
from email.utils import format_datetime
from pathlib import Path

import msgspec
from jinja2 import FileSystemLoader, StrictUndefined, TemplateError, select_autoescape
from jinja2.sandbox import ImmutableSandboxedEnvironment

from services.contracts.envelope import ID
from services.notification.domain import ClaimedIntent, locale_of
from services.notification.mail.message import Lines, address_of, ascii_domain, message_of, subject_of

TEMPLATES = Path(__file__).parent / "templates"
CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")  # a name with a line break would forge the text after it


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
            auto_reload=False,  # no look at the files for each mail
        )

    def compose(self, intent: ClaimedIntent) -> Mail:
        """Return the mail of an intent. Raises CannotComposeError, also if a value would inject a header."""
        recipient = ascii_domain(intent.recipient)
        try:
            content = self._message(msgspec.structs.replace(intent, recipient=recipient))
        except (ValueError, TemplateError) as error:
            raise CannotComposeError(f"no mail can be rendered: {error}") from error
        needs_utf8 = not (recipient.isascii() and self._mail_from.isascii())
        return Mail(self._mail_from, recipient, dot_stuffed(content), needs_utf8)

    def _message(self, intent: ClaimedIntent) -> bytes:
        locale = locale_of(intent.locale, self._locales)
        name = intent.full_name and CONTROLS.sub(" ", intent.full_name)
        text = self._render(f"{locale}/{intent.template}.txt", full_name=name)
        subject, _, body = text.removeprefix("Subject: ").partition("\n\n")
        html = self._render(f"{locale}/{intent.template}.html", full_name=name, locale=locale, subject=subject)
        boundary = "=_" + hashlib.sha256(intent.message_id.encode()).hexdigest()[:32]
        return message_of(self._headers(intent, subject, locale), body + "\n", html + "\n", boundary)

    def _headers(self, intent: ClaimedIntent, subject: str, locale: str) -> Lines:
        if not ID.fullmatch(intent.correlation_id):
            raise ValueError("the correlation id has other characters than letters, digits and -_.:")
        return [
            ("Date", format_datetime(intent.queued_at)),
            ("Message-ID", intent.message_id),
            ("From", address_of(self._mail_from)),
            ("To", address_of(intent.recipient)),
            ("Subject", subject_of(subject)),
            ("X-Correlation-ID", intent.correlation_id),
            ("Auto-Submitted", "auto-generated"),  # RFC 3834: suppresses automatic replies
            ("Content-Language", locale),
        ]

    def _render(self, template: str, **values: str | None) -> str:
        return self._templates.get_template(template).render(values)


def dot_stuffed(content: bytes) -> bytes:
    """Return content for DATA (RFC 5321, section 4.5.2): leading dots doubled, ended by a line with one dot."""
    ended = content if content.endswith(b"\r\n") else content + b"\r\n"
    stuffed = ended.replace(b"\r\n.", b"\r\n..")
    return (b"." if stuffed.startswith(b".") else b"") + stuffed + b".\r\n"
