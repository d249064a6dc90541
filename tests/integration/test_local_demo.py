"""The demo as a person runs it, with few users."""

import subprocess
import sys
from pathlib import Path

import pytest

from services.console.local.system import SERVICES, clean_environment
from tests.ports import free_ports

JARS = Path(".eventline/kafka").absolute()
PORTS = ("BROKER", "CONTROLLER", "SMTP", *(f"{name.upper()}{kind}" for name in SERVICES for kind in ("", "_METRICS")))
DEADLINE = 120.0


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "kafka").symlink_to(JARS)
    ports = {f"APP_{name}_PORT": str(port) for name, port in zip(PORTS, free_ports(len(PORTS)), strict=True)}
    return ports | {"APP_STATE_DIR": str(tmp_path), "APP_USERS": "30"}


def run(command: str, settings: dict[str, str]) -> tuple[int, str]:
    argv = (sys.executable, "-m", "services.console", command)
    environment = clean_environment(settings)
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=DEADLINE, check=False)
    return done.returncode, done.stdout + done.stderr


def test_every_command_becomes_events_mails_and_audit_entries(settings: dict[str, str], tmp_path: Path) -> None:
    code, output = run("demo", settings)
    assert code == 0, output
    assert output.splitlines()[-1] == "Nothing missing, nothing repeated."
    assert sorted(path.name for path in (tmp_path / "demo").glob("*.db")) == ["audit.db", "notification.db", "user.db"]
    code, output = run("verify", settings)
    assert code == 0, output


def test_a_taken_port_ends_the_demo_before_anything_is_started(settings: dict[str, str], tmp_path: Path) -> None:
    settings["APP_AUDIT_PORT"] = settings["APP_USER_PORT"]
    code, output = run("demo", settings)
    assert (code, list(tmp_path.iterdir())) == (1, [tmp_path / "kafka"]), output
    assert f"port {settings['APP_USER_PORT']} is taken" in output
