"""`console rebuild` where there is nothing to compare; `tests/faults/test_newcomer.py` has the comparison."""

from pathlib import Path

import pytest

from services.workbench.local.free_ports import free_ports
from services.workbench.local.ports import HOST
from tests.support.console_process import console

pytestmark = pytest.mark.long

BROKER = "APP_KAFKA_BOOTSTRAP_SERVERS"


@pytest.mark.parametrize("arguments", [(), ("usrs",), ("--drop-old",)])
def test_without_a_projection_it_reports_which_there_are(broker: str, arguments: tuple[str, ...]) -> None:
    code, output = console({BROKER: broker}, "rebuild", *arguments)
    assert code == 2, output
    assert "users, replica" in output


def test_without_a_store_it_reports_how_to_get_one(broker: str, tmp_path: Path) -> None:
    code, output = console({BROKER: broker, "APP_STATE_DIR": str(tmp_path)}, "rebuild", "--check")
    assert code == 8, output
    assert f"no user store in {tmp_path}/run/user.db: start one with `make run`" in output
    assert list(tmp_path.iterdir()) == []


def test_without_a_broker_it_reports_so_as_every_command(tmp_path: Path) -> None:
    where = {BROKER: f"{HOST}:{free_ports(1)[0]}", "APP_KAFKA_REQUEST_TIMEOUT": "1s", "APP_STATE_DIR": str(tmp_path)}
    code, output = console(where, "rebuild", "--check")
    assert code == 4, output
    assert "`make run`" in output
