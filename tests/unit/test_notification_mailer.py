"""Mails as they are composed: what stands in them, and what can never get into them."""

import email
import email.policy
from email.message import EmailMessage

import msgspec
import pytest

from services.notification.domain import Letter
from services.notification.mailer import CannotComposeError, Composer, dotted
from tests.builders import NOW

LETTER = Letter("<n-1@example.org>", "welcome", "ada@example.org", "Ada Lovelace", "correlation-1", NOW)


def compose(**changed: str | None) -> EmailMessage:
    mail = Composer("no-reply@eventline.local").compose(msgspec.structs.replace(LETTER, **changed))
    content = mail.content.removesuffix(b".\r\n")
    return email.message_from_bytes(content, _class=EmailMessage, policy=email.policy.default)


def test_a_mail_names_its_command_its_notification_and_its_recipient() -> None:
    mail = compose()
    assert mail["X-Correlation-ID"] == "correlation-1"
    assert mail["Message-ID"] == "<n-1@example.org>"
    assert mail["From"] == "no-reply@eventline.local"
    assert mail["To"] == "ada@example.org"
    assert mail["Subject"] == "Welcome"
    assert mail["Date"].datetime == NOW
    assert "Hello Ada Lovelace," in mail.get_content()


@pytest.mark.parametrize("template", ["welcome", "email_changed"])
def test_every_template_does_without_a_name(template: str) -> None:
    assert "Hello," in compose(template=template, full_name=None).get_content()


def test_a_name_of_any_script_arrives_as_it_is_and_is_not_taken_for_a_template() -> None:
    name = "Șora {{ 7 * 7 }} <b>李</b>"
    assert f"Hello {name}," in compose(full_name=name).get_content()


def test_every_try_makes_the_same_bytes() -> None:
    composer = Composer("no-reply@eventline.local")
    assert composer.compose(LETTER) == composer.compose(LETTER)


@pytest.mark.parametrize(
    "changed",
    [
        {"recipient": "ada@example.org\r\nBcc: eve@example.org"},
        {"recipient": "ada@example.org, eve@example.org"},
        {"recipient": "Ada <ada@example.org>"},
        {"recipient": "ada"},
        {"recipient": ""},
        {"correlation_id": "c-1\r\nBcc: eve@example.org"},
        {"template": "no_such_template"},
    ],
)
def test_what_would_be_another_mail_cannot_be_composed(changed: dict[str, str]) -> None:
    with pytest.raises(CannotComposeError):
        compose(**changed)


def test_only_an_address_beyond_ascii_needs_more_of_the_server() -> None:
    composer = Composer("no-reply@eventline.local")
    assert not composer.compose(LETTER).needs_utf8
    assert composer.compose(msgspec.structs.replace(LETTER, recipient="jürgen@example.org")).needs_utf8


def test_a_line_that_begins_with_a_dot_does_not_end_the_mail() -> None:
    assert dotted(b"a\r\n.\r\nb") == b"a\r\n..\r\nb\r\n.\r\n"
