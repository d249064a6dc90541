"""`console rights` on a broker that denies by default: what it makes, keeps, removes, refuses and reports."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from typer.testing import CliRunner

from services.chassis.kafka.access.acls import AccessAdmin, Acl
from services.chassis.kafka.settings import KafkaSettings
from services.chassis.settings.environment import variables
from services.console.__main__ import app
from services.console.rights.table import Table
from services.contracts.access import PRINCIPALS
from tests.support.access_broker import AccessBroker, running
from tests.support.broker import running as running_plain

TABLE = Table()
ROWS = len(TABLE.rows())
ALL_LOG_IN = f"asked as {len(PRINCIPALS)} users: each may do what the table has, and nothing else\n"
PASSWORD = "of-these-tests"  # noqa: S105
READ = Acl("User:eventline-user", "topic", "user.state.v1", "Read")


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AccessBroker]:
    with running(tmp_path_factory.mktemp("rights")) as broker:
        yield broker


def console(environment: Mapping[str, str], *arguments: str) -> tuple[int, str]:
    """Run the console in this process: a dozen starts would take most of the time."""
    done = CliRunner().invoke(app, arguments, env=environment, catch_exceptions=False)
    return done.exit_code, done.output


def given(broker: AccessBroker, login: str = "topics", **changed: str) -> Mapping[str, str]:
    settings = broker.settings(login)
    own = {"APP_RIGHTS_PASSWORDS": str(broker.logins.passwords), "APP_DEADLINE": "20s"}
    return variables(KafkaSettings, settings) | own | changed


def rights(broker: AccessBroker, *options: str, **changed: str) -> tuple[int, str]:
    return console(given(broker, **changed), "rights", *options)


@pytest.fixture
def admin(broker: AccessBroker) -> AccessAdmin:
    code, output = rights(broker)
    assert code == 0, output
    return AccessAdmin(broker.settings("topics"), "test")


def test_the_first_run_makes_everything_and_the_second_changes_nothing(tmp_path: Path) -> None:
    with running(tmp_path) as broker:
        code, output = rights(broker, "--check")
        assert (code, output.count("missing: ") == ROWS, "eventline-audit cannot log in" in output) == (
            1,
            True,
            True,
        ), output
        code, output = rights(broker)
        assert (code, f"{ROWS} added, 0 removed" in output, ALL_LOG_IN in output) == (0, True, True), output
        code, output = rights(broker)
        unchanged = ("topics: all are there", "0 added, 0 removed", "users: all can log in", ALL_LOG_IN)
        assert (code, [text for text in unchanged if text not in output]) == (0, []), output
        assert rights(broker, "--check")[0] == 0


def test_a_missing_right_is_given_and_one_beyond_the_table_removed(broker: AccessBroker, admin: AccessAdmin) -> None:
    gone = Acl("User:eventline-audit", "group", "audit", "Read")
    admin.remove([gone])
    admin.add([READ])
    code, output = rights(broker, "--check")
    differences = {
        f"missing: {gone.text()}",
        f"beyond the table: {READ.text()}",
        "user eventline-audit may not Read group audit",
        "user eventline-user may Read topic user.state.v1, which the table has not",
    }
    assert (code, differences - set(output.splitlines())) == (1, set()), output
    code, output = rights(broker)
    assert (code, "1 added, 1 removed" in output, f"removed: {READ.text()}" in output) == (0, True, True), output


def test_rights_of_others_and_the_administrators_own_on_the_cluster_are_left_alone(
    broker: AccessBroker, admin: AccessAdmin
) -> None:
    others = [
        Acl("User:reports", "topic", "user.events.v1", "Read"),
        Acl("User:eventline-former", "topic", "user.events.v1", "Read"),
        Acl("User:eventline-topics", "cluster", "kafka-cluster", "Alter"),
        Acl("User:*", "topic", "reports.v1", "Read"),
    ]
    admin.add(others)
    code, output = rights(broker)
    assert (code, output.count("note: "), f"note: {others[1].text()}" in output) == (0, 1, True), output
    assert [row for row in others if row not in admin.rights(row.principal)] == []
    admin.remove(others)


@pytest.mark.parametrize(
    "row",
    [
        Acl("User:*", "topic", "user.events.v1", "Read"),
        Acl("User:*", "topic", "user.", "Write", prefixed=True),
        Acl("User:*", "topic", "*", "Describe"),
        Acl("User:*", "group", "audit", "Read"),
        Acl("User:*", "cluster", "kafka-cluster", "Alter"),
        Acl("User:eventline-user", "topic", "user.events.v1", "Write", allow=False),
    ],
    ids=Acl.text,
)
def test_rights_of_everybody_and_denials_are_refused_by_name(
    broker: AccessBroker, admin: AccessAdmin, row: Acl
) -> None:
    admin.add([row])
    try:
        code, output = rights(broker)
    finally:
        admin.remove([row])
    assert (code, row.text() in output, "kafka-acls --remove" in output) == (9, True, True), output


@pytest.mark.usefixtures("admin")
def test_a_changed_password_is_set_and_the_old_one_ends(broker: AccessBroker, tmp_path: Path) -> None:
    (tmp_path / "audit").write_text("another-password\n")
    code, output = rights(broker, APP_RIGHTS_PASSWORDS=str(tmp_path))
    assert (code, "users: set eventline-audit\n" in output) == (0, True), output
    assert "left alone, as there is no file with a password: eventline-user" in output
    code, output = rights(broker, "--check")
    assert (code, "user eventline-audit cannot log in with its password" in output) == (1, True), output


@pytest.mark.usefixtures("admin")
def test_a_file_that_no_user_has_is_named(broker: AccessBroker, tmp_path: Path) -> None:
    for name in ("topics", "usr", ".hidden"):
        (tmp_path / name).write_text((broker.logins.passwords / "topics").read_text())
    code, output = rights(broker, "--check", APP_RIGHTS_PASSWORDS=str(tmp_path))
    assert (code, f"note: {tmp_path / 'usr'} is not used" in output, ".hidden" in output) == (0, True, False), output


@pytest.mark.usefixtures("admin")
def test_without_passwords_it_reports_that_no_login_was_tried(broker: AccessBroker) -> None:
    environment = {name: value for name, value in given(broker).items() if name != "APP_RIGHTS_PASSWORDS"}
    code, output = console(environment, "rights", "--check")
    assert (code, "no login is tried: APP_RIGHTS_PASSWORDS names no folder" in output) == (0, True), output


def test_an_option_of_strimzi_alone_changes_no_broker() -> None:
    code, output = console({"APP_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"}, "rights", "--cluster", "events")
    assert (code, "--cluster is of --strimzi alone" in output) == (2, True), output


@pytest.mark.parametrize(
    "password", ["short", "a,b,c,d,e,f", 'quote"quote', "with space", "", "x" * 129, "two\n\nlines"]
)
def test_an_odd_password_is_refused_before_anything_is_done_and_never_shown(
    broker: AccessBroker, tmp_path: Path, password: str
) -> None:
    (tmp_path / "user").write_text(password)
    code, output = rights(broker, APP_RIGHTS_PASSWORDS=str(tmp_path))
    assert (code, f"{tmp_path}/user: a password has 8 to 128 characters" in output) == (2, True), output
    assert not password or password not in output.replace(str(tmp_path), "")


def test_a_folder_without_passwords_is_refused(broker: AccessBroker, tmp_path: Path) -> None:
    (tmp_path / "usr").write_text("a-good-password")
    code, output = rights(broker, APP_RIGHTS_PASSWORDS=str(tmp_path))
    assert (code, "the files are named user, notification, audit" in output) == (2, True), output
    code, output = rights(broker, APP_RIGHTS_PASSWORDS=str(tmp_path / "none"))
    assert (code, "no such folder" in output) == (2, True), output


@pytest.mark.usefixtures("admin")
def test_a_login_that_may_not_change_rights_is_named(broker: AccessBroker) -> None:
    for option in ("--check",), ():
        code, output = console(given(broker, "operator"), "rights", *option)
        assert (code, "user eventline-operator may not change rights" in output) == (4, True), output


def test_an_administrator_that_is_no_super_user_needs_two_rights_on_the_cluster(tmp_path: Path) -> None:
    (tmp_path / "passwords").mkdir()
    for name in PRINCIPALS:
        (tmp_path / "passwords" / name).write_text(PASSWORD)
    with running(tmp_path) as broker:
        admin = AccessAdmin(broker.settings("topics"), "test")
        admin.add(Acl("User:foreign-topics", "cluster", "kafka-cluster", name) for name in ("Alter", "Describe"))
        admin.admit({"foreign-topics": PASSWORD})
        own = {"APP_KAFKA_USER": "foreign-topics", "APP_KAFKA_PASSWORD": PASSWORD, "APP_RIGHTS_PREFIX": "foreign-"}
        code, output = rights(broker, APP_RIGHTS_PASSWORDS=str(tmp_path / "passwords"), **own)
        assert (code, "topics: created user.events.v1" in output, ALL_LOG_IN in output) == (0, True, True), output
        assert len(admin.rights("User:foreign-topics")) > 2


def test_a_broker_without_authorizer_is_named(tmp_path: Path) -> None:
    with running_plain(tmp_path, []) as (address, _):
        code, output = console({"APP_KAFKA_BOOTSTRAP_SERVERS": address}, "rights")
    assert (code, "has no authorizer" in output, "StandardAuthorizer" in output) == (4, True, True), output
