"""The load as a person runs it, for a few seconds."""

from pathlib import Path

import msgspec
import pytest

from services.contracts.service_list import SERVICES
from services.workbench.load.command import Result
from tests.support.console_process import console, own_settings

pytestmark = pytest.mark.long


def test_all_that_a_load_leads_to_is_counted(tmp_path: Path) -> None:
    report = tmp_path / "load.json"
    argv = ("load", "--start", "--rate", "20", "--seconds", "3", "--population", "20", "--json", str(report))
    code, output = console(own_settings(tmp_path), *argv)
    assert code == 0, output
    assert output.splitlines()[-1] == "Nothing missing, nothing repeated."
    result = msgspec.json.decode(report.read_bytes(), type=Result)
    assert result.last.requests == 60
    assert set(result.last.cpu_per_command) == set(SERVICES)
    assert result.last.intents[50] > 0


def test_a_running_system_is_named_whole_or_not_at_all(tmp_path: Path) -> None:
    code, output = console({"APP_STATE_DIR": str(tmp_path)}, "load", "--user-url", "http://127.0.0.1:1")
    assert code == 2, output
    assert "named by --user-url and --audit-url: give both" in output


def test_a_system_that_does_not_answer_is_reported_to_be_unreachable(broker: str, tmp_path: Path) -> None:
    where = {"APP_STATE_DIR": str(tmp_path), "APP_KAFKA_BOOTSTRAP_SERVERS": broker, "APP_DEADLINE": "1s"}
    code, output = console(where, "load", "--user-url", "http://127.0.0.1:1", "--audit-url", "http://127.0.0.1:1")
    assert code == 7, output
    assert "was not answered in" in output
