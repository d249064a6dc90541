"""`make tour` as CI runs it, unattended, and as a person ends it, with Ctrl-C at a stop."""

import os
import pty
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from services.workbench.local.ports import HOST
from services.workbench.local.system import clean_environment
from services.workbench.polling import until
from services.workbench.tour.itinerary import STOPS
from tests.support.console_process import DEADLINE, Settings, argv, console, own_settings

pytestmark = pytest.mark.long

TOUR_S = 300.0  # it takes one minute alone
EVIDENCE = (
    "later there is a mail to the right address",
    "The notification service's database has the same record: its replica.",
    "without a gap, in one partition.",
    "So do all facts of all users",
    "it is still down.",
    "records of all topics exactly once.",
    "The running audit service has found it by itself",
    "`verify` fails, and names the entry and its place.",
    "`verify` finds the fork by a checkpoint that the witness has cosigned.",
    "--diff names that one user.",
    "The service answers the same for that moment: version 1, dorothy@example.org.",
)


def one_line(output: str) -> str:
    return " ".join(output.split())


def test_every_stop_shows_what_it_claims_beside_a_program_that_has_a_port(tmp_path: Path) -> None:
    settings = own_settings(tmp_path)
    with socket.create_server((HOST, int(settings["APP_USER_PORT"]))):
        code, output = console(settings, "tour", "--unattended", seconds=TOUR_S)
    assert code == 0, output
    seen = one_line(output)
    assert f"port {settings['APP_USER_PORT']} is taken" in seen
    assert [text for text in (*(stop.title for stop in STOPS), *EVIDENCE) if text not in seen] == []
    assert f"All {len(STOPS)} stops showed what they claim." in seen


def test_ctrl_c_at_a_stop_stops_the_whole_system_in_order(tmp_path: Path) -> None:
    settings, log = own_settings(tmp_path), tmp_path / "tour.log"
    tour, keyboard = attended(settings, log)
    try:
        until("the first stop", log.read_text, lambda text: "[Enter] goes on" in text, DEADLINE)
        tour.send_signal(signal.SIGINT)
        assert tour.wait(DEADLINE) == 130, log.read_text()
    finally:
        tour.kill()
        tour.wait()
        os.close(keyboard)
    text = log.read_text()
    assert STOPS[0].title in text
    assert STOPS[1].title not in text
    assert "stopped sink, broker" in text


def attended(settings: Settings, log: Path) -> tuple["subprocess.Popen[bytes]", int]:
    """Start a tour whose standard input is a terminal; return it with the terminal's other end."""
    keyboard, terminal = pty.openpty()
    with log.open("wb") as output:
        tour = subprocess.Popen(
            argv("tour"), env=clean_environment(settings), stdin=terminal, stdout=output, stderr=output
        )
    os.close(terminal)
    return tour, keyboard
