"""torchwood's litewitness, a witness of another maker, as a process; its key is held by an ssh-agent."""

import re
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from services.chassis.transparency.canonical_base64 import encoded
from services.chassis.transparency.keys import Verifier
from services.chassis.transparency.tree import EMPTY_ROOT
from services.workbench.local.free_ports import free_ports
from services.workbench.local.ports import HOST
from services.workbench.local.processes import Program, answers
from services.workbench.local.system import System, clean_environment
from services.workbench.polling import until
from tests.support.judge_programs import judge

NAME = "litewitness.example/w2"
READY_S = 60.0
_VKEY = re.compile(r'vkey="?([^\s"]+)')


class Litewitness:
    """A witness in a folder that runs, and the parts `agent` and `litewitness` of its system."""

    def __init__(self, system: System, folder: Path, url: str) -> None:
        self.system = system
        self.url = url
        self._folder = folder

    @property
    def vkey(self) -> str:
        """Its public key, which it prints at its start."""
        log = self._folder / "litewitness.log"
        return until("litewitness shows its key", lambda: "".join(_VKEY.findall(log.read_text())[:1]))

    def know(self, log: Verifier) -> None:
        """Add a log to those that it cosigns: its own tool for that cannot be built from the module proxy."""
        with closing(sqlite3.connect(self._folder / "litewitness.db", timeout=READY_S)) as state, state:
            state.execute("INSERT INTO log VALUES (?, 0, ?)", (log.name, encoded(EMPTY_ROOT)))
            state.execute("INSERT INTO key VALUES (?, ?)", (log.name, log.vkey))

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self.system.start("litewitness")
        self.system.wait_ready(READY_S, "litewitness")

    def kill(self) -> None:
        """End it with SIGKILL."""
        self.system.kill("litewitness")


@contextmanager
def running() -> Iterator[Litewitness]:
    """Yield a witness that runs. Skips the test without Go or OpenSSH's agent."""
    program, agent = judge("litewitness"), shutil.which("ssh-agent")
    if agent is None:
        pytest.skip("NOT JUDGED: litewitness needs ssh-agent for its key; get it with apt-get install openssh-client")
    with TemporaryDirectory(prefix="lw") as name:  # the path of a socket has less than 108 characters
        folder, (port,) = Path(name), free_ports(1)
        fingerprint = _make_key(folder / "key")
        with System([_agent(agent, folder), _witness(program, folder, port, fingerprint)]) as system:
            system.start("agent")
            system.wait_ready(READY_S, "agent")
            _run("ssh-add", str(folder / "key"), SSH_AUTH_SOCK=str(folder / "agent.sock"))
            found = Litewitness(system, folder, f"http://{HOST}:{port}")
            found.start()
            yield found


def _make_key(path: Path) -> str:
    _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path))
    return _run("ssh-keygen", "-lf", str(path)).split()[1]


def _agent(program: str, folder: Path) -> Program:
    socket = folder / "agent.sock"
    argv, ready = (program, "-D", "-a", str(socket)), lambda: None if socket.exists() else "no socket"
    return Program("agent", argv, clean_environment({}), folder / "agent.log", ready)


def _witness(program: Path, folder: Path, port: int, fingerprint: str) -> Program:
    argv = (
        str(program),
        f"-name={NAME}",
        f"-db={folder / 'litewitness.db'}",
        f"-ssh-agent={folder / 'agent.sock'}",
        f"-key={fingerprint}",
        f"-listen={HOST}:{port}",
    )
    return Program("litewitness", argv, clean_environment({}), folder / "litewitness.log", lambda: answers(HOST, port))


def _run(*argv: str, **environment: str) -> str:
    done = subprocess.run(argv, env=clean_environment(environment), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
