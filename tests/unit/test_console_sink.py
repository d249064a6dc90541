"""What the mail sink reads from an SMTP envelope."""

from aiosmtpd.smtp import Envelope

from services.console.local.sink import read_mail


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
