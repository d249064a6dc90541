"""The notification service's settings: contradictions are refused, and no secret is shown."""

from pathlib import Path

import pytest

from services.chassis.settings.environment import SettingsError, load
from services.notification.settings import Settings

GOOD = {
    "APP_KAFKA_BOOTSTRAP_SERVERS": "broker:9092",
    "APP_DATABASE_URL": "sqlite:///x.db",
    "APP_SMTP_HOST": "mail.example.org",
}
LOGIN = {"APP_SMTP_USER": "ada", "APP_SMTP_PASSWORD": "correct horse"}


def errors(**environment: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load(Settings, GOOD | environment)
    return str(caught.value).splitlines()


def test_without_tls_nothing_is_trusted_and_with_it_the_machines_authorities_are() -> None:
    assert load(Settings, GOOD).trust() is None
    for mode in ("starttls", "tls"):
        assert load(Settings, GOOD | LOGIN | {"APP_SMTP_TLS": mode}).trust() is not None


@pytest.mark.parametrize(
    ("environment", "text"),
    [
        (LOGIN, "APP_SMTP_PASSWORD would travel in the clear with APP_SMTP_TLS=off"),
        ({"APP_SMTP_TLS": "tls", "APP_SMTP_USER": "ada"}, "belong together"),
        ({"APP_SMTP_TLS": "tls", "APP_SMTP_PASSWORD": "correct horse"}, "belong together"),
        ({"APP_SMTP_TLS": "tls", "APP_SMTP_USER": "jürgen", "APP_SMTP_PASSWORD": "x"}, "ASCII"),
        ({"APP_SMTP_TLS": "ssl"}, "is not one of off, starttls, tls"),
        ({"APP_SMTP_TLS": "tls\n"}, "is not one of off, starttls, tls"),
        ({"APP_SMTP_CA_FILE": "ca.pem"}, "APP_SMTP_CA_FILE has no meaning with APP_SMTP_TLS=off"),
        ({"APP_SMTP_TLS": "tls", "APP_SMTP_CA_FILE": "/no/such/file"}, "APP_SMTP_CA_FILE='/no/such/file': [Errno 2]"),
        ({"APP_SMTP_TLS": "tls", "APP_SMTP_CA_FILE": str(Path(__file__))}, "name a file of certificates in PEM"),
        ({"APP_SMTP_PASSWORD": "changeme"}, "is a placeholder"),
        *(
            ({"APP_MAIL_FROM": given}, "is not an address")
            for given in ("Eventline", "Eventline <a@example.org>", "a@example.org\n", "=?utf-8?q?x?=@example.org")
        ),
        ({"APP_SMTP_TIMEOUT": "12s"}, "the first must be below a 5th of the second"),
        ({"APP_SMTP_TIMEOUT": "12s", "APP_SENDER_CLAIM_TIME": "90s"}, "would be restarted as stalled"),
    ],
)
def test_contradictory_or_unusable_settings_are_refused_at_start(environment: dict[str, str], text: str) -> None:
    (line,) = errors(**environment)
    assert text in line


def test_no_error_and_no_representation_repeats_the_password() -> None:
    """A secret must never be logged."""
    lines = [*errors(**LOGIN), *errors(APP_SMTP_PASSWRD=LOGIN["APP_SMTP_PASSWORD"])]
    settings = load(Settings, GOOD | LOGIN | {"APP_SMTP_TLS": "tls"})
    assert "correct horse" not in repr((lines, settings)) + str(settings)
