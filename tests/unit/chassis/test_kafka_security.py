"""Kafka TLS and SASL settings: contradictions are refused at start, and no secret is shown."""

from pathlib import Path

import pytest

from services.chassis.database import url
from services.chassis.database import url as database_url
from services.chassis.kafka.settings import KafkaSettings
from services.chassis.settings.environment import SettingsError, load
from services.user.settings import Settings
from services.workbench.settings import WorkbenchSettings
from tests.support.certificates import Files, client_files

SERVERS = {"APP_KAFKA_BOOTSTRAP_SERVERS": "broker:9093"}
LOGIN = {"APP_KAFKA_SASL_MECHANISM": "PLAIN", "APP_KAFKA_USER": "ada", "APP_KAFKA_PASSWORD": "secret"}
POSTGRES = "postgresql+psycopg://ada@db/users"


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return client_files(tmp_path)


def complaints(**settings: str) -> list[str]:
    """Return the problems of settings, without the common prefix."""
    with pytest.raises(SettingsError) as caught:
        load(KafkaSettings, SERVERS | {f"APP_KAFKA_{name}": value for name, value in settings.items()})
    return str(caught.value).replace("APP_KAFKA_", "").splitlines()


def test_a_password_or_a_certificate_with_plaintext_is_refused(files: Files) -> None:
    """Such settings show that protection is intended."""
    lines = complaints(USER="ada", PASSWORD="secret", CA_FILE=files.authority)  # noqa: S106
    assert [line.split(":")[0] for line in lines] == [
        "USER, PASSWORD would be ignored with SECURITY_PROTOCOL=plaintext",
        "CA_FILE would be ignored with SECURITY_PROTOCOL=plaintext",
    ]


def test_a_login_needs_all_its_settings() -> None:
    lines = complaints(SECURITY_PROTOCOL="sasl_ssl", USER="ada")
    assert [line.split(":")[0] for line in lines] == ["SASL_MECHANISM is missing", "PASSWORD is missing"]


def test_a_password_is_never_sent_unencrypted() -> None:
    with pytest.raises(SettingsError, match="would travel in the clear with PLAIN"):
        load(KafkaSettings, SERVERS | LOGIN | {"APP_KAFKA_SECURITY_PROTOCOL": "sasl_plaintext"})
    scram = {"APP_KAFKA_SASL_MECHANISM": "SCRAM-SHA-256", "APP_KAFKA_SECURITY_PROTOCOL": "sasl_plaintext"}
    load(KafkaSettings, SERVERS | LOGIN | scram)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"SECURITY_PROTOCOL": "sasl_plaintext"}, "the token would travel in the clear with OAUTHBEARER and SECURITY_"),
        ({"OAUTH_TOKEN_URL": ""}, "OAUTH_TOKEN_URL is missing: SASL_MECHANISM=OAUTHBEARER needs it"),
        ({"OAUTH_TOKEN_URL": "issuer/token"}, "OAUTH_TOKEN_URL='issuer/token' is no URL"),
        ({"OAUTH_TOKEN_URL": "http://issuer.example.org/t"}, "PASSWORD would travel in the clear to OAUTH_TOKEN_URL="),
        ({"PASSWORD": ""}, "PASSWORD is missing"),
        ({"OAUTH_CA_FILE": "/nowhere.pem"}, "OAUTH_CA_FILE='/nowhere.pem' cannot be read"),
        ({"OAUTH_EXTENSIONS": "team"}, "OAUTH_EXTENSIONS='team': "),
        ({"SASL_MECHANISM": "PLAIN"}, "OAUTH_TOKEN_URL would be ignored without SASL_MECHANISM=OAUTHBEARER"),
    ],
)
def test_contradictions_between_settings_of_tokens_are_refused(changed: dict[str, str], reason: str) -> None:
    whole = {
        "SECURITY_PROTOCOL": "sasl_ssl",
        "SASL_MECHANISM": "OAUTHBEARER",
        "USER": "client-1",
        "PASSWORD": "secret",
        "OAUTH_TOKEN_URL": "https://issuer.example.org/oauth2/token",
    }
    load(KafkaSettings, SERVERS | {f"APP_KAFKA_{name}": value for name, value in whole.items()})
    (line,) = complaints(**{name: value for name, value in (whole | changed).items() if value})
    assert line.startswith(reason)


def test_a_token_may_come_from_an_issuer_on_this_machine_without_tls(files: Files) -> None:
    login = {"SECURITY_PROTOCOL": "sasl_ssl", "SASL_MECHANISM": "OAUTHBEARER", "USER": "a", "PASSWORD": "b"}
    here = login | {"OAUTH_TOKEN_URL": "http://localhost:8080/token"}
    load(KafkaSettings, SERVERS | {f"APP_KAFKA_{name}": value for name, value in here.items()})
    (line,) = complaints(**here, OAUTH_CA_FILE=files.authority)
    assert line.startswith("OAUTH_CA_FILE would be ignored with OAUTH_TOKEN_URL='http://localhost:8080/token'")


@pytest.mark.parametrize("protocol", ["SSL", "tls", "sasl"])
def test_an_unknown_protocol_or_mechanism_is_refused(protocol: str) -> None:
    (protocol_line, mechanism_line) = complaints(SECURITY_PROTOCOL=protocol, SASL_MECHANISM="GSSAPI")
    assert protocol_line.startswith(f"SECURITY_PROTOCOL='{protocol}'")
    assert mechanism_line.startswith("SASL_MECHANISM='GSSAPI'")


def test_missing_and_invalid_certificate_files_are_all_named_at_once(files: Files, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello")
    lines = complaints(SECURITY_PROTOCOL="ssl", CA_FILE="/nowhere/ca.pem", CERTIFICATE_FILE=files.certificate)
    assert lines == [
        "CA_FILE='/nowhere/ca.pem' cannot be read: No such file or directory: name a file of certificates in PEM",
        "CERTIFICATE_FILE and KEY_FILE belong together: give both or neither",
    ]
    text, none = str(tmp_path / "text"), "are no certificate and its key, unencrypted, in PEM"
    lines = complaints(SECURITY_PROTOCOL="ssl", CA_FILE=text, CERTIFICATE_FILE=files.certificate, KEY_FILE=text)
    assert lines == [
        f"CA_FILE={text!r} has no certificate in PEM: name a file of certificates in PEM",
        f"CERTIFICATE_FILE and KEY_FILE: {files.certificate!r} and {text!r} {none}",
    ]


def test_a_key_that_does_not_match_its_certificate_is_refused(files: Files) -> None:
    (line,) = complaints(SECURITY_PROTOCOL="ssl", CERTIFICATE_FILE=files.certificate, KEY_FILE=files.other_key)
    fits = f"the key in {files.other_key!r} does not fit the certificate in {files.certificate!r}"
    assert line == f"CERTIFICATE_FILE and KEY_FILE: {fits}"


def test_complete_settings_are_accepted(files: Files) -> None:
    whole = {
        "APP_KAFKA_SECURITY_PROTOCOL": "sasl_ssl",
        "APP_KAFKA_CA_FILE": files.authority,
        "APP_KAFKA_CERTIFICATE_FILE": files.certificate,
        "APP_KAFKA_KEY_FILE": files.key,
    }
    settings = load(KafkaSettings, SERVERS | LOGIN | whole)
    assert settings.encrypts
    assert settings.logs_in


def test_no_secret_is_shown() -> None:
    given = SERVERS | LOGIN | {"APP_KAFKA_SECURITY_PROTOCOL": "sasl_ssl"}
    database = {"APP_DATABASE_URL": POSTGRES, "APP_DATABASE_PASSWORD": "secret"}
    settings = load(Settings, given | database)
    assert "secret" not in f"{settings} {settings!r} {settings.database} {settings.database!r}"


def test_the_console_refuses_tls_towards_the_broker_that_it_starts_itself() -> None:
    with pytest.raises(SettingsError, match="set APP_KAFKA_BOOTSTRAP_SERVERS"):
        load(WorkbenchSettings, {"APP_KAFKA_SECURITY_PROTOCOL": "ssl"})


@pytest.mark.parametrize("password", ["plain", "p@ss:w/o?r#d%41 é&=+"])
def test_the_databases_password_is_a_separate_setting_and_may_have_any_character(password: str) -> None:
    found = url.address(POSTGRES, password)
    assert (found.password, found.username, found.host, found.database) == (password, "ada", "db", "users")
    assert database_url.problems(POSTGRES, password) == []


@pytest.mark.parametrize(
    ("url", "password", "reason"),
    [
        ("nonsense", "", "is no URL"),
        ("mysql://db/users", "", "begins with 'mysql'"),
        ("sqlite:///users.db", "secret", "has no meaning with SQLite"),
        ("postgresql+psycopg://ada:first@db/users", "second", "both hold a password"),
        (f"{POSTGRES}?sslrootcert=/ca.pem", "", "sslmode=prefer would go on in the clear"),
        (f"{POSTGRES}?sslmode=verify-full&sslrootcert=/nowhere.pem", "", "sslrootcert='/nowhere.pem' cannot be read"),
        (f"{POSTGRES}?sslmode=verify-full&sslcert=/a.pem", "", "sslcert and sslkey belong together"),
    ],
)
def test_an_invalid_database_url_is_refused_without_showing_its_password(url: str, password: str, reason: str) -> None:
    line = database_url.problems(url, password)[0]
    assert reason in line
    assert all(secret not in line for secret in ("first", "second", "secret"))


def test_a_database_key_that_does_not_match_is_refused(files: Files) -> None:
    url = f"{POSTGRES}?sslmode=verify-full&sslcert={files.certificate}&sslkey={files.other_key}"
    (line,) = database_url.problems(url, "")
    assert "does not fit" in line
