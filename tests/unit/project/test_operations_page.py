"""The files of settings of docs/operations.md against the settings classes: complete, known, with real defaults."""

from dataclasses import MISSING, fields

import pytest

from k8s.charts.settings import PROGRAMS
from services.chassis.settings.environment import Mixin, load
from services.console.settings import ConsoleSettings
from services.contracts.access import PRINCIPALS, kafka_name
from services.contracts.service_list import STANDALONE
from services.workbench.documents import rights
from tests.support.operations_page import files

FILES = files()
PROCESSES: dict[str, type[Mixin]] = {
    "lag-exporter" if name == "console" else name: kind for name, kind in PROGRAMS.items()
}
# Settings without a default. Nothing is opened here.
NEEDED = {"APP_KAFKA_BOOTSTRAP_SERVERS": "nowhere:1", "APP_DATABASE_URL": "sqlite:///x.db", "APP_SMTP_HOST": "nowhere"}
NEEDED |= {"APP_WITNESS_KEY_FILE": "nowhere", "APP_WITNESS_LOGS_FILE": "nowhere"}
of_each_process = pytest.mark.parametrize(("name", "kind"), PROCESSES.items(), ids=PROCESSES)


def files_of(name: str) -> tuple[str, ...]:
    return (name,) if name in STANDALONE else ("kafka", name)


def names_of(kind: type[Mixin]) -> set[str]:
    return {f"APP_{field.name.upper()}" for field in fields(kind)}


@of_each_process
def test_the_files_of_a_process_have_each_of_its_settings_and_no_other(name: str, kind: type[Mixin]) -> None:
    lines = [line.name for file in files_of(name) for line in FILES[file].lines()]
    assert sorted(lines) == sorted(names_of(kind))


@of_each_process
def test_what_is_commented_out_is_the_default(name: str, kind: type[Mixin]) -> None:
    commented = {line.name: line.value for file in files_of(name) for line in FILES[file].lines() if line.commented}
    given = {name: value for name, value in commented.items() if value}
    needed = {name: value for name, value in NEEDED.items() if name in names_of(kind)}
    loaded = load(kind, needed | given)
    defaults = {field.name: field.default for field in fields(kind) if f"APP_{field.name.upper()}" in commented}
    assert MISSING not in defaults.values()
    assert {name: getattr(loaded, name) for name in defaults} == defaults


def test_the_console_knows_the_settings_of_its_files() -> None:
    given = {line.name for file in ("kafka", "operator", "topics") for line in FILES[file].lines()}
    assert given <= names_of(ConsoleSettings)


def test_each_file_logs_in_as_a_user_that_has_rights() -> None:
    users = {line.value for file in FILES.values() for line in file.lines() if line.name == "APP_KAFKA_USER"}
    assert users == {kafka_name(principal) for principal in PRINCIPALS}
    assert users == {kafka_name(name) for name in FILES.keys() - {"kafka", *STANDALONE}}


def test_the_page_of_rights_is_as_the_catalog_has_it() -> None:
    assert rights.PATH.read_text() == rights.text(), "run make docs, and look at the change"
