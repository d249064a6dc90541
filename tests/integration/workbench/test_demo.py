"""The demo as a person runs it, with few users."""

from pathlib import Path

import pytest

from services.contracts.service_list import WITH_API
from tests.support.console_process import Settings, console, own_settings

pytestmark = pytest.mark.long


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return own_settings(tmp_path) | {"APP_USERS": "30"}


def test_every_command_becomes_events_mails_and_audit_entries(settings: Settings, tmp_path: Path) -> None:
    code, output = console(settings, "demo")
    assert code == 0, output
    assert "Resident memory at the end: user " in output
    assert "Nothing missing, nothing repeated." in output.splitlines()
    assert "make run STATE=demo" in output
    assert {path.stem for path in (tmp_path / "demo").glob("*.db")} == set(WITH_API)
    code, output = console(settings, "verify")
    assert code == 0, output


def test_a_taken_port_ends_the_demo_before_anything_is_started(settings: Settings, tmp_path: Path) -> None:
    settings["APP_AUDIT_PORT"] = settings["APP_USER_PORT"]
    code, output = console(settings, "demo")
    assert (code, list(tmp_path.iterdir())) == (3, [tmp_path / "kafka"]), output
    assert f"port {settings['APP_USER_PORT']} is taken" in output
