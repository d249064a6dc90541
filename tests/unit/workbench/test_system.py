"""Checks the settings of the local system's parts."""

from pathlib import Path

import pytest

from services.chassis.settings.environment import SettingsError, load
from services.contracts.service_list import SERVICES
from services.workbench.local.system import clean_environment, service_environment
from services.workbench.settings import WorkbenchSettings


def test_the_console_needs_no_setting() -> None:
    settings = load(WorkbenchSettings, {})
    assert settings.kafka_bootstrap_servers == ""
    assert settings.users == 1000


def test_a_misspelt_port_is_named() -> None:
    with pytest.raises(SettingsError, match="did you mean APP_USER_PORT"):
        load(WorkbenchSettings, {"APP_USER_PROT": "1"})


def test_a_child_gets_no_setting_but_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APP_USERS", "5")
    monkeypatch.setenv("LANG", "C")
    environment = clean_environment({"APP_HTTP_PORT": "1"})
    assert {name for name in environment if name.startswith("APP_")} == {"APP_HTTP_PORT"}
    assert environment["LANG"] == "C"


def test_each_service_has_a_store_and_ports_of_its_own(tmp_path: Path) -> None:
    environments = [service_environment(name, WorkbenchSettings(), tmp_path) for name in SERVICES]
    for setting in ("APP_DATABASE_URL", "APP_HTTP_PORT", "APP_METRICS_PORT"):
        assert len({environment[setting] for environment in environments}) == len(SERVICES)
    assert environments[0]["APP_DATABASE_URL"] == f"sqlite:///{tmp_path}/user.db"


def test_a_given_broker_is_what_the_services_use(tmp_path: Path) -> None:
    settings = WorkbenchSettings(kafka_bootstrap_servers="kafka:9092")
    assert service_environment("audit", settings, tmp_path)["APP_KAFKA_BOOTSTRAP_SERVERS"] == "kafka:9092"


def test_a_secured_system_gives_each_service_its_own_login(tmp_path: Path) -> None:
    settings = WorkbenchSettings(state_dir=tmp_path, secure=True)
    environments = {name: service_environment(name, settings, tmp_path) for name in SERVICES}
    assert [one["APP_KAFKA_USER"] for one in environments.values()] == [f"eventline-{name}" for name in SERVICES]
    assert len({one["APP_KAFKA_PASSWORD"] for one in environments.values()}) == len(SERVICES)
    assert {one["APP_KAFKA_SECURITY_PROTOCOL"] for one in environments.values()} == {"sasl_ssl"}
    assert service_environment("user", settings, tmp_path) == environments["user"]  # generated once


def test_the_operators_login_is_left_for_the_commands_beside_a_secured_system_alone(tmp_path: Path) -> None:
    secured = WorkbenchSettings(state_dir=tmp_path, secure=True)
    secured.leave_operator_login(tmp_path / "run")
    assert secured.operator_login()["kafka_user"] == "eventline-operator"
    WorkbenchSettings(state_dir=tmp_path).leave_operator_login(tmp_path / "run")
    assert secured.operator_login() == {}


def test_a_broker_of_ones_own_cannot_be_secured_here() -> None:
    with pytest.raises(SettingsError, match="APP_SECURE and APP_KAFKA_BOOTSTRAP_SERVERS=kafka:9092 exclude each other"):
        load(WorkbenchSettings, {"APP_SECURE": "1", "APP_KAFKA_BOOTSTRAP_SERVERS": "kafka:9092"})
