"""BAD-INPUT, row CLI: wrong time, unknown id, broker down, taken port: an exit code per kind, and what to do."""

import socket
from pathlib import Path

import pytest

from services.workbench.local.free_ports import free_ports
from services.workbench.local.ports import HOST
from tests.support.console_process import console

pytestmark = pytest.mark.long

BROKER = "APP_KAFKA_BOOTSTRAP_SERVERS"


WRONG = [
    "yesterday",
    "2026-11-22T12:00:00",
    "2999-01-01T00:00:00Z",
    "1969-12-31T23:59:59Z",
    "0001-01-01T00:00:00+14:00",
]


@pytest.mark.parametrize("moment", WRONG)
def test_bad_input_cli_wrong_time(broker: str, moment: str) -> None:
    code, output = console({BROKER: broker}, "events", "--from", moment)
    assert code == 2, output
    assert moment in output
    assert "write beginning, end, or a time with its zone, such as 2026-11-22T12:00:00Z" in output
    assert "Traceback" not in output


@pytest.mark.parametrize("argv", [("--subject", "nobody"), ("--correlation-id", "nothing"), ("--topic", "nowhere")])
def test_bad_input_cli_unknown_id(broker: str, argv: tuple[str, str]) -> None:
    code, output = console({BROKER: broker}, "events", "--no-follow", *argv)
    assert code == 5, output
    assert argv[1] in output
    assert "check the id" in output or "there are user.events.v1" in output
    assert "Traceback" not in output


@pytest.mark.parametrize("command", ["lag", "events", "topics"])
def test_bad_input_cli_broker_down(command: str) -> None:
    address = f"{HOST}:{free_ports(1)[0]}"
    patience = {"APP_KAFKA_REQUEST_TIMEOUT": "1s", "APP_DEADLINE": "1s"}
    code, output = console(patience | {BROKER: address}, command)
    assert code == 4, output
    assert "`make run`" in output
    assert "Traceback" not in output


@pytest.mark.parametrize("command", ["demo", "run", "load", "backlog"])
def test_bad_input_cli_taken_port(command: str, tmp_path: Path) -> None:
    with socket.create_server((HOST, 0)) as taken:
        port = str(taken.getsockname()[1])
        where = {"APP_STATE_DIR": str(tmp_path), BROKER: "none:1"}
        code, output = console(where | {"APP_USER_PORT": port}, command)
    assert code == 3, output
    assert f"port {port} is taken: stop what listens there, or set APP_USER_PORT" in output
    assert list(tmp_path.iterdir()) == []
