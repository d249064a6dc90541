"""Mails as they are composed: their content, and what can never be in them."""

import email
import email.policy
from email.header import decode_header, make_header
from email.message import EmailMessage

import msgspec
import pytest

from services.contracts.notification import MAILED
from services.notification.mail.message import subject_of
from services.notification.mail.templates import TEMPLATES, CannotComposeError, Composer, dot_stuffed
from tests.support.builders import NOW
from tests.support.notification_builders import a_claimed_intent

INTENT = a_claimed_intent()
LOCALES = ("en", "de")
NAMELESS = {"en": "Hello,", "de": "Guten Tag,"}


def body(mail: EmailMessage, kind: str) -> str:
    part = mail.get_body((kind,))
    assert part is not None, f"there is no {kind} part"
    content: str = part.get_content()
    return content


def compose(**changed: str | None) -> EmailMessage:
    mail = Composer("hello@eventline.local").compose(msgspec.structs.replace(INTENT, **changed))
    content = mail.content.removesuffix(b".\r\n")
    return email.message_from_bytes(content, _class=EmailMessage, policy=email.policy.default)


def test_a_mail_names_its_command_its_notification_and_its_recipient() -> None:
    mail = compose()
    assert mail["X-Correlation-ID"] == "correlation-1"
    assert mail["Message-ID"] == "<n-1@example.org>"
    assert mail["From"] == "hello@eventline.local"
    assert mail["To"] == "ada@example.org"
    assert mail["Subject"] == "Welcome to Eventline"
    assert mail["Date"].datetime == NOW
    assert "Hello Ada Lovelace," in body(mail, "plain")


def test_a_mail_is_text_and_html_with_the_same_content() -> None:
    mail = compose()
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]
    for kind in ("plain", "html"):
        assert "We will write to this address" in body(mail, kind)


def test_every_locale_has_every_template_and_each_does_without_a_name() -> None:
    assert sorted(folder.name for folder in TEMPLATES.iterdir() if folder.is_dir()) == sorted(LOCALES)
    for locale in LOCALES:
        for template in MAILED.values():
            mail = compose(template=template, locale=locale, full_name=None)
            assert mail["Content-Language"] == locale
            assert NAMELESS[locale] in body(mail, "plain")
            assert NAMELESS[locale] in body(mail, "html")
            assert f'<html lang="{locale}">' in body(mail, "html")


def test_a_german_gets_a_german_mail() -> None:
    mail = compose(template="email_changed", locale="de-CH")
    assert mail["Subject"] == "Ihre E-Mail-Adresse wurde geändert"
    assert "Guten Tag Ada Lovelace," in body(mail, "plain")
    assert "Diese Nachricht geht an die alte und an die neue Adresse." in body(mail, "html")


def test_a_name_of_any_script_arrives_as_it_is_and_is_taken_neither_for_a_template_nor_for_html() -> None:
    mail = compose(full_name="Șora {{ 7 * 7 }} <b>李</b>")
    assert "Hello Șora {{ 7 * 7 }} <b>李</b>," in body(mail, "plain")
    assert "Hello Șora {{ 7 * 7 }} &lt;b&gt;李&lt;/b&gt;," in body(mail, "html")


def test_a_mail_travels_in_short_lines_of_ascii_whatever_is_in_it() -> None:
    intent = msgspec.structs.replace(INTENT, locale="de", full_name="李" * 2000)
    content = Composer("hello@eventline.local").compose(intent).content
    assert content.isascii()
    assert max(map(len, content.splitlines())) < 998


def test_every_try_makes_the_same_bytes() -> None:
    composer = Composer("hello@eventline.local")
    assert composer.compose(INTENT) == composer.compose(INTENT)


@pytest.mark.parametrize(
    "changed",
    [
        {"recipient": "ada@example.org\r\nBcc: eve@example.org"},
        {"recipient": "ada@example.org, eve@example.org"},
        {"recipient": "Ada <ada@example.org>"},
        {"recipient": "ada"},
        {"recipient": ""},
        {"recipient": "ada@eve@example.org"},
        {"recipient": "=?utf-8?q?=0D=0AX?=@example.org"},
        {"recipient": "ada@example.org\0"},
        {"correlation_id": "c-1\r\nBcc: eve@example.org"},
        {"correlation_id": "=?utf-8?q?x=0D=0AReply-To:_evil@example.org?="},
        {"correlation_id": "=?utf-8?b?eA0KDQpIZWxsbyBldmls?="},
        {"message_id": "<n-1@example.org>\r\n\r\nanother text"},
        {"message_id": "<n-1@example.org>\nBcc: eve@example.org"},
        {"template": "no_such_template"},
    ],
)
def test_a_value_that_would_change_the_headers_cannot_be_composed(changed: dict[str, str]) -> None:
    with pytest.raises(CannotComposeError):
        compose(**changed)


def test_a_name_with_line_breaks_stays_on_its_line_and_encoded_words_in_it_stay_as_they_are() -> None:
    mail = compose(full_name="Ada\r\n\nYour account\0 was\u2028stolen =?utf-8?q?x?=")
    assert "Hello Ada   Your account  was stolen =?utf-8?q?x?=,\r\n" in body(mail, "plain")


def test_a_subject_that_a_reader_would_decode_is_encoded_as_a_whole() -> None:
    assert subject_of("Welcome") == "Welcome"
    for text in ("=?utf-8?q?=0D=0ABcc:_eve@example.org?=", "\u00e4 = \u00c4" * 40):
        assert "Bcc" not in subject_of(text)
        assert str(make_header(decode_header(subject_of(text).replace("\r\n", "")))) == text


def test_only_an_address_beyond_ascii_needs_more_of_the_server() -> None:
    composer = Composer("hello@eventline.local")
    assert not composer.compose(INTENT).needs_utf8
    assert composer.compose(msgspec.structs.replace(INTENT, recipient="jürgen@example.org")).needs_utf8


def test_a_line_that_begins_with_a_dot_does_not_end_the_mail() -> None:
    assert dot_stuffed(b"a\r\n.\r\nb") == b"a\r\n..\r\nb\r\n.\r\n"
