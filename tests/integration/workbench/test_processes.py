"""Child processes and ports of the local run."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from services.workbench.local.free_ports import free_ports
from services.workbench.local.ports import HOST, PortTakenError, require_free
from services.workbench.local.processes import Process, ProcessError, Program
from services.workbench.polling import until

DEADLINE = 20.0
FOREVER = "import signal; print('up', flush=True); signal.pause()"
DEAF = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {FOREVER}"


def a_program(folder: Path, code: str, ready: Callable[[], str | None] | None = None) -> Program:
    log = folder / "child.log"

    def printed() -> str | None:
        return None if "up" in log.read_text() else f"log: {log.read_text()!r}"

    return Program("child", (sys.executable, "-c", code), dict(os.environ), log, ready or printed)


def await_end(pid: int) -> None:
    until(f"process {pid} has ended", lambda: state(pid), {None, "Z"}.__contains__, DEADLINE)


def state(pid: int) -> str | None:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return None


def test_a_child_that_is_ready_can_be_stopped(tmp_path: Path) -> None:
    process = Process(a_program(tmp_path, FOREVER))
    process.wait_ready(DEADLINE)
    assert process.exit_code() is None
    process.ask_to_stop()
    assert process.wait_end(DEADLINE) == -signal.SIGTERM


def test_a_child_that_dies_before_it_is_ready_shows_the_end_of_its_log(tmp_path: Path) -> None:
    process = Process(a_program(tmp_path, "raise SystemExit('no database')", ready=lambda: "nothing"))
    with pytest.raises(ProcessError, match=r"(?s)child ended with exit code 1;.*\| no database"):
        process.wait_ready(DEADLINE)


def test_a_child_that_is_late_tells_what_was_last_seen(tmp_path: Path) -> None:
    process = Process(a_program(tmp_path, FOREVER, ready=lambda: "relay: no lease"))
    with pytest.raises(ProcessError, match="is not ready after 0 s: relay: no lease"):
        process.wait_ready(0)
    process.kill()


def test_a_child_that_ignores_sigterm_is_killed_and_named(tmp_path: Path) -> None:
    process = Process(a_program(tmp_path, DEAF))
    process.wait_ready(DEADLINE)
    process.ask_to_stop()
    with pytest.raises(ProcessError, match="child did not end within 0 s"):
        process.wait_end(0)
    assert process.exit_code() == -signal.SIGKILL


@pytest.mark.skipif(sys.platform != "linux", reason="the states of processes are read from /proc")
@pytest.mark.parametrize("wait", ["", f"process.wait_ready({DEADLINE})\n"], ids=["first moments", "ready"])
def test_a_child_dies_with_a_console_that_is_killed(wait: str, tmp_path: Path) -> None:
    code = (
        "import os, pathlib, signal, sys\n"
        "from services.workbench.local.processes import Process, Program\n"
        f"argv = (sys.executable, '-c', {FOREVER!r})\n"
        "log = pathlib.Path(sys.argv[1])\n"
        "up = lambda: None if 'up' in log.read_text() else 'not up'\n"
        "process = Process(Program('child', argv, dict(os.environ), log, up))\n"
        f"{wait}"
        "print(process.pid, flush=True)\n"
        "signal.pause()\n"
    )
    argv = (sys.executable, "-c", code, str(tmp_path / "grandchild.log"))
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as console:
        assert console.stdout is not None
        child = int(console.stdout.readline())
        console.kill()
    await_end(child)


def test_every_taken_port_is_named_with_its_setting() -> None:
    port, other = free_ports(2)
    with socket.create_server((HOST, port)), pytest.raises(PortTakenError) as caught:
        require_free({"APP_USER_PORT": port, "APP_AUDIT_PORT": other})
    assert str(caught.value) == f"port {port} is taken: stop what listens there, or set APP_USER_PORT"


def test_free_ports_may_be_used_but_none_twice() -> None:
    ports = {f"APP_{port}": port for port in free_ports(5)}
    require_free(ports)
    port = next(iter(ports.values()))
    with pytest.raises(PortTakenError, match=f"port {port} is taken"):
        require_free(ports | {"APP_AGAIN": port})
