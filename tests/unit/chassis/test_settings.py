"""Settings: all mistakes are reported at once, each with a correction."""

import re
from dataclasses import fields
from datetime import timedelta
from importlib import import_module
from pathlib import Path

import pytest

import services
import services.audit.settings
from services.chassis.consumer.settings import ConsumerSettings
from services.chassis.database.settings import DatabaseSettings
from services.chassis.kafka.security import KafkaSecurity
from services.chassis.kafka.settings import KafkaSettings
from services.chassis.outbox.settings import OutboxSettings
from services.chassis.settings.environment import Mixin, SettingsError, load, settings, variables
from services.contracts.catalog import TOPICS, Rule
from services.contracts.service_list import WITH_API
from services.user.settings import Settings

GOOD = {"APP_KAFKA_BOOTSTRAP_SERVERS": "broker:9092", "APP_DATABASE_URL": "sqlite:///x.db"}


@settings
class WithFolder(Settings):
    folder: Path = Path()


def complaints(**environment: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load(Settings, GOOD | environment)
    return str(caught.value).splitlines()


def test_defaults_hold_where_nothing_is_set_and_other_variables_are_left_alone() -> None:
    settings = load(Settings, GOOD | {"PATH": "/bin", "APPLE": "red"})
    assert settings == Settings(kafka_bootstrap_servers="broker:9092", database_url="sqlite:///x.db")


@pytest.mark.parametrize(
    ("text", "meant"),
    [("500ms", 0.5), ("9s", 9.0), ("1.5s", 1.5), (" 2s ", 2.0), ("0.1m", 6.0), ("0.001h", 3.6)],
)
def test_durations_are_numbers_with_their_unit(text: str, meant: float) -> None:
    settings = load(Settings, GOOD | {"APP_KAFKA_MESSAGE_TIMEOUT": text})
    assert settings.kafka_message_timeout == timedelta(seconds=meant)


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("APP_LOG_LEVEL", "info\n"),
        ("APP_KAFKA_GROUP_PROTOCOL", "classic\n"),
        ("APP_KAFKA_SECURITY_PROTOCOL", "plaintext\n"),
        ("APP_KAFKA_SASL_MECHANISM", "PLAIN\n"),
        ("APP_KAFKA_MESSAGE_TIMEOUT", "9" * 400 + "h"),
        ("APP_KAFKA_MESSAGE_TIMEOUT", "999999999h"),
        ("APP_KAFKA_POLL_INTERVAL", "25h"),
        ("APP_WRITER_GROUP", "1000001"),
        ("APP_WRITER_GROUP", "9" * 30),
        ("APP_KAFKA_MESSAGE_TIMEOUT", "\u0661s"),
    ],
)
def test_a_line_break_at_the_end_or_a_number_without_bounds_is_refused(name: str, given: str) -> None:
    assert [line.partition("=")[0] for line in complaints(**{name: given})] == [name]


def test_numbers_and_paths_are_converted() -> None:
    settings = load(WithFolder, GOOD | {"APP_WRITER_GROUP": "7", "APP_FOLDER": "/folder"})
    assert (settings.writer_group, settings.folder) == (7, Path("/folder"))


def test_all_errors_come_at_once_a_line_each() -> None:
    with pytest.raises(SettingsError) as caught:
        load(
            Settings,
            {
                "APP_DATABASE_URL": "",
                "APP_HTTP_PROT": "80",
                "APP_RELAY_LEASE": "5",
                "APP_WRITER_GROUP": "-1",
                "APP_LOG_LEVEL": "changeme",
            },
        )
    assert sorted(str(caught.value).splitlines()) == [
        "APP_DATABASE_URL='': is empty: give a value or remove the variable",
        "APP_HTTP_PROT is not a setting: did you mean APP_HTTP_PORT?",
        "APP_KAFKA_BOOTSTRAP_SERVERS is missing: it has no default",
        "APP_LOG_LEVEL='changeme': is a placeholder: give the real value",
        "APP_RELAY_LEASE='5': is not a duration: write a number with its unit, such as 500ms, 10s or 5m",
        "APP_WRITER_GROUP='-1': is not a whole number from 1 to 1000000",
    ]


def test_a_contradiction_is_reported_together_with_a_misspelt_name() -> None:
    lines = complaints(APP_KAFKA_MESSAGE_TIMEOUT="11s", APP_WRITER_GRUOP="1")
    assert [line.split()[0] for line in lines] == ["APP_WRITER_GRUOP", "APP_KAFKA_MESSAGE_TIMEOUT"]


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("APP_HTTP_PORT", "0.5", "a whole number from 0 to 65535"),
        ("APP_WRITER_GROUP", "many", "a whole number from 1 to 1000000"),
        ("APP_DATABASE_MIGRATE", "perhaps", "true or false"),
        ("APP_AUTH", "JWT", "one of jwt, none"),
        ("APP_KAFKA_SECURITY_PROTOCOL", "SASL_SSL", "one of plaintext, ssl, sasl_plaintext, sasl_ssl"),
        ("APP_KAFKA_SASL_MECHANISM", "scram", "one of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER"),
        ("APP_KAFKA_GROUP_PREFIX", "a b", "at most 100 characters long, of A-Z a-z 0-9 . _ -"),
        ("APP_KAFKA_OAUTH_EXTENSIONS", "a", "a list of name=value, separated by commas"),
    ],
)
def test_a_wrong_value_gets_what_the_setting_may_be(name: str, value: str, allowed: str) -> None:
    assert f"{name}={value!r}: is not {allowed}" in complaints(**{name: value})


@pytest.mark.parametrize(
    "servers", ["a:9092,,b:9092", ",", "a:99999", "a:0", "a b", "https://a/b", "a:port", "ada@a:1"]
)
def test_bootstrap_servers_are_addresses(servers: str) -> None:
    assert "APP_KAFKA_BOOTSTRAP_SERVERS has " in complaints(APP_KAFKA_BOOTSTRAP_SERVERS=servers)[0]


@pytest.mark.parametrize("servers", ["a", "a:1, b:2", "[::1]:9092", "SASL_SSL://a:9092"])
def test_usual_forms_of_bootstrap_servers_are_taken(servers: str) -> None:
    assert load(Settings, GOOD | {"APP_KAFKA_BOOTSTRAP_SERVERS": servers}).addresses()


def test_a_suggestion_resembles_the_name_behind_the_common_prefix() -> None:
    assert complaints(APP_STORE_DIR="1") == ["APP_STORE_DIR is not a setting"]
    assert complaints(APP_RELAY_LAESE="20s") == ["APP_RELAY_LAESE is not a setting: did you mean APP_RELAY_LEASE?"]


def test_a_name_that_resembles_none_gets_no_suggestion() -> None:
    assert complaints(APP_QQQQ="1") == ["APP_QQQQ is not a setting"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("APP_DATABASE_URL", "  "),
        ("APP_DATABASE_URL", " ChangeMe "),
        ("APP_KAFKA_MESSAGE_TIMEOUT", "-5s"),
        ("APP_KAFKA_MESSAGE_TIMEOUT", "5"),
        ("APP_HTTP_PORT", "65536"),
        ("APP_HTTP_PORT", "http"),
        ("APP_KAFKA_GROUP_PROTOCOL", "share"),
        ("APP_KAFKA_GROUP_PREFIX", "our group "),
        ("APP_LOG_LEVEL", "loud"),
        ("APP_CONSUMER_BATCH", "0"),
        ("APP_CONSUMER_BATCH", "1e3x"),
    ],
)
def test_a_value_that_cannot_be_meant_is_refused_by_its_name(name: str, value: str) -> None:
    (line,) = complaints(**{name: value})
    assert line.startswith(f"{name}={value!r}: ")


def test_the_message_timeout_may_be_half_of_the_lease_and_no_more() -> None:
    load(Settings, GOOD | {"APP_KAFKA_MESSAGE_TIMEOUT": "5s", "APP_RELAY_LEASE": "10s"})
    (line,) = complaints(APP_KAFKA_MESSAGE_TIMEOUT="5001ms", APP_RELAY_LEASE="10s")
    assert "APP_KAFKA_MESSAGE_TIMEOUT" in line
    assert "APP_RELAY_LEASE" in line


@pytest.mark.parametrize(
    ("interval", "message", "request_timeout", "is_meant"),
    [
        ("46s", "10s", "10s", True),
        ("45s", "10s", "10s", False),
        ("50s", "10s", "20s", False),
        ("51s", "10s", "20s", True),
    ],
)
def test_the_poll_interval_is_longer_than_a_batch_may_take(
    interval: str, message: str, request_timeout: str, *, is_meant: bool
) -> None:
    variables = {
        "APP_KAFKA_POLL_INTERVAL": interval,
        "APP_KAFKA_MESSAGE_TIMEOUT": message,
        "APP_KAFKA_REQUEST_TIMEOUT": request_timeout,
    }
    if is_meant:
        load(Settings, GOOD | variables)
    else:
        (line,) = complaints(**variables)
        assert line.startswith("APP_KAFKA_POLL_INTERVAL (")


@pytest.mark.parametrize(("message", "request_timeout", "is_meant"), [("9s", "25s", True), ("10s", "25s", False)])
def test_no_wait_for_the_broker_is_so_long_that_a_loop_counts_as_stalled(
    message: str, request_timeout: str, *, is_meant: bool
) -> None:
    variables = {"APP_KAFKA_MESSAGE_TIMEOUT": message, "APP_KAFKA_REQUEST_TIMEOUT": request_timeout}
    if is_meant:
        load(Settings, GOOD | variables)
    else:
        assert [line for line in complaints(**variables) if "ends liveness" in line]


@pytest.mark.parametrize(("text", "meant"), [("true", True), ("false", False)])
def test_yes_or_no_is_true_or_false(text: str, meant: bool) -> None:  # noqa: FBT001  # it is the example
    assert load(Settings, GOOD | {"APP_DATABASE_MIGRATE": text}).database_migrate is meant


KINDS: dict[str, type[Mixin]] = {name: import_module(f"services.{name}.settings").Settings for name in WITH_API}
HIDDEN = "a-value-not-to-be-shown"
# A contradiction that each mixin with a check reports.
CONTRADICTIONS = {
    DatabaseSettings: {"APP_DATABASE_PASSWORD": HIDDEN},  # without a meaning on SQLite
    KafkaSecurity: {"APP_KAFKA_USER": "somebody"},  # without a login
    OutboxSettings: {"APP_RELAY_LEASE": "1s"},
    ConsumerSettings: {"APP_KAFKA_POLL_INTERVAL": "1s"},
}
REQUIRED = {**GOOD, "APP_SMTP_HOST": "mail"}


def environment(service: str) -> dict[str, str]:
    if service == "witness":
        files = {"APP_WITNESS_KEY_FILE": "key", "APP_WITNESS_LOGS_FILE": "logs"}
        return files | {name: value for name, value in GOOD.items() if "KAFKA" not in name}
    return REQUIRED if service == "notification" else GOOD


@pytest.mark.parametrize("service", KINDS)
def test_no_value_is_in_the_text_form_of_settings(service: str) -> None:
    url = f"postgresql+psycopg://name:{HIDDEN}@host/db"
    loaded = load(KINDS[service], {**environment(service), "APP_DATABASE_URL": url})
    assert repr(loaded) == str(loaded) == "Settings(…)"


@pytest.mark.parametrize("service", KINDS)
@pytest.mark.parametrize("mixin", CONTRADICTIONS)
def test_the_check_of_every_mixin_is_called_for_a_service_that_has_it(service: str, mixin: type[Mixin]) -> None:
    if not issubclass(KINDS[service], mixin):
        return
    with pytest.raises(SettingsError):
        load(KINDS[service], {**environment(service), **CONTRADICTIONS[mixin]})


@pytest.mark.parametrize("setting", ["RELAY_LEASE", "CONSUMER_DEAD_LETTER_CEILING", "WRITER_GROUP", "SMTP_HOST"])
def test_audit_refuses_a_setting_that_would_have_no_effect(setting: str) -> None:
    with pytest.raises(SettingsError, match=f"APP_{setting} is not a setting"):
        load(services.audit.settings.Settings, {**GOOD, f"APP_{setting}": "1"})


@pytest.mark.parametrize("service", KINDS)
def test_every_setting_of_a_service_is_read_somewhere(service: str) -> None:
    folders = [Path(services.__path__[0], name) for name in ("chassis", service)]
    code = "\n".join(path.read_text() for folder in folders for path in folder.rglob("*.py"))
    assert [one.name for one in fields(KINDS[service]) if not re.search(rf"\.{one.name}\b", code)] == []


@pytest.mark.parametrize(
    ("given", "line"),
    [
        (
            {"APP_KEEP_INBOX": "40d", "APP_KEEP_HELD": "1d"},
            (
                "APP_KEEP_INBOX (40 days, 0:00:00), APP_RECORDS_RETURN (37 days, 0:00:00): the first must be at least "
                "1.1 times the second, or a record that Kafka still has could be applied twice"
            ),
        ),
        (
            {"APP_RETRY_WINDOW": "7d"},
            (
                "APP_KEEP_REPLIES (7 days, 0:00:00), APP_RETRY_WINDOW (7 days, 0:00:00): the first must be at least "
                "1.1 times the second, or a command that a client sends again could be executed twice"
            ),
        ),
    ],
    ids=["inbox", "replies"],
)
def test_an_age_that_is_too_short_is_refused_with_both_settings(given: dict[str, str], line: str) -> None:
    assert complaints(**given) == [line]


@pytest.mark.parametrize("name", ["APP_KEEP_MAILS", "APP_KEEP_ADDRESSES"])
def test_what_a_notice_needs_that_is_read_again_must_be_kept_for_as_long(name: str) -> None:
    given = GOOD | {"APP_SMTP_HOST": "localhost", name: "10d"}
    with pytest.raises(
        SettingsError, match=rf"^{name} \(10 days, 0:00:00\), APP_RECORDS_RETURN \(37 days, 0:00:00\): "
    ):
        load(KINDS["notification"], given)


def test_the_default_of_how_long_records_return_covers_every_topic_whose_records_are_applied_once() -> None:
    segment = timedelta(days=7)  # Kafka's default: a segment is closed, and deleted as a whole, so late
    longest = max(topic.retention_ms for topic in TOPICS if topic.rule is Rule.ONCE)
    assert timedelta(milliseconds=longest) + segment == load(Settings, GOOD).records_return


def test_settings_become_variables_that_load_the_same_settings() -> None:
    given = {
        "APP_KAFKA_BOOTSTRAP_SERVERS": "kafka:9092",
        "APP_KAFKA_GROUP_PROTOCOL": "classic",
        "APP_KAFKA_GROUP_PREFIX": "eventline-",
        "APP_KAFKA_REQUEST_TIMEOUT": "1500ms",
        "APP_KAFKA_REPLICATION_FACTOR": "3",
        "APP_KAFKA_SECURITY_PROTOCOL": "ssl",
    }
    assert variables(KafkaSettings, load(KafkaSettings, given)) == given
