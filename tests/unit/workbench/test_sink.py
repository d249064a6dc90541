"""Checks how the mail sink reads an SMTP envelope."""

from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8, EmailPolicy

import pytest
from aiosmtpd.smtp import Envelope

from services.workbench.local.sink import read_mail


def an_envelope(content: bytes) -> Envelope:
    envelope = Envelope()
    envelope.mail_from = "eventline@example.org"
    envelope.rcpt_tos = ["ada@example.org"]
    envelope.original_content = content
    return envelope


def test_headers_and_text_are_read() -> None:
    content = b"Message-ID: <1@eventline>\r\nSubject: Welcome\r\nX-Correlation-ID: c-1\r\n\r\nHello Ada\r\n"
    mail = read_mail(an_envelope(content), received_at=12.5)
    assert (mail.message_id, mail.subject, mail.correlation_id) == ("<1@eventline>", "Welcome", "c-1")
    assert (mail.received_at, mail.sender, mail.recipients) == (
        12.5,
        "eventline@example.org",
        ["ada@example.org"],
    )
    assert mail.body == "Hello Ada\n"


def test_a_mail_without_headers_is_still_a_mail() -> None:
    mail = read_mail(an_envelope(b"\r\njust text\r\n"), received_at=0.0)
    assert (mail.message_id, mail.subject, mail.correlation_id) == ("", "", "")


@pytest.mark.parametrize("policy", [SMTP, SMTPUTF8])
def test_letters_beyond_ascii_are_read_whether_encoded_or_as_they_are(policy: EmailPolicy) -> None:
    message = EmailMessage()
    message["Subject"] = "Grüße, " * 20 + "Țepeș"
    message.set_content("Karikó\n")
    message.add_alternative("<p>Karikó</p>\n", subtype="html")
    mail = read_mail(an_envelope(message.as_bytes(policy=policy)), received_at=0.0)
    assert (mail.subject, mail.body) == ("Grüße, " * 20 + "Țepeș", "Karikó\n")
