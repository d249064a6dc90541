"""`console run` as a person runs it: up until Ctrl-C, watched meanwhile, its state kept."""

import contextlib
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from services.workbench.local.system import clean_environment
from services.workbench.polling import until
from tests.support.console_process import DEADLINE, Settings, argv, console, own_settings

pytestmark = pytest.mark.long

ADDRESSES = ("USER", "AUDIT", "USER_METRICS")
ADA = {"login": "ada", "email": "ada@example.org", "full_name": "Ada Lovelace"}


@contextlib.contextmanager
def running(settings: Settings, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as output:
        process = subprocess.Popen(argv("run"), env=clean_environment(settings), stdout=output, stderr=output)
    try:
        await_text(log, "up until Ctrl-C")
        yield process
        process.send_signal(signal.SIGINT)
        assert process.wait(DEADLINE) == 0, log.read_text()
    finally:
        process.kill()
        process.wait()


def await_text(log: Path, text: str) -> None:
    until(repr(text), log.read_text, lambda found: text in found, DEADLINE)


def await_no_lag(settings: Settings) -> None:
    def no_lag(seen: tuple[int, str]) -> bool:
        rows = [line.split() for line in seen[1].splitlines() if ".v1" in line]
        return seen[0] == 0 and rows != [] and all(row[-2:] == ["0", "0"] for row in rows)

    until("no lag", lambda: console(settings, "lag"), no_lag, DEADLINE)


def a_load_of(settings: Settings) -> tuple[str, ...]:
    user, audit, metrics = (f"http://127.0.0.1:{settings[f'APP_{name}_PORT']}" for name in ADDRESSES)
    addresses = ("--user-url", user, "--audit-url", audit, "--metrics-url", f"user={metrics}/metrics")
    return ("load", "--rate", "20", "--seconds", "2", "--population", "10", *addresses)


def test_a_system_stays_up_until_it_is_interrupted_and_keeps_its_state(tmp_path: Path) -> None:
    settings, log = own_settings(tmp_path), tmp_path / "run.log"
    api = f"http://127.0.0.1:{settings['APP_USER_PORT']}/users"
    with running(settings, log):
        user_id = httpx.post(api, json=ADA).raise_for_status().json()["user_id"]
        await_no_lag(settings)
        code, output = console(settings, "events", "--no-follow", "--subject", user_id, "--type", "user.state")
        assert (code, len(output.splitlines())) == (0, 1), output
        assert "Lovelace" not in output
        await_text(log, "mails: 1 in the sink")
        code, output = console(settings, *a_load_of(settings))
        assert code == 0, output
        assert "Processor time per command (reads ride along): user " in output
    assert "stopped sink, broker" in log.read_text()
    with running(settings, log):
        assert httpx.get(f"{api}/{user_id}").raise_for_status().json()["login"] == "ada"
