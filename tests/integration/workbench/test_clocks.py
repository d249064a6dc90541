"""A clock that is moved for one process: its wall clock alone goes ahead, at once, and back."""

import asyncio
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from services.workbench.faults.conditions.clocks import AHEAD_S, NO_COMPILER, clocks_of
from services.workbench.local.processes import Program

ASKED = "import sys, time\nfor _ in sys.stdin: print(time.time(), time.monotonic(), flush=True)"
NEAR_S = 60.0


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler: apt-get install gcc libc6-dev")
def test_a_wall_clock_moves_while_its_process_runs_and_no_other_clock_does(tmp_path: Path) -> None:
    clocks = clocks_of(["user", "audit"], tmp_path)
    program = Program("user", (sys.executable, "-c", ASKED), os.environ, tmp_path / "log", lambda: None)
    given = clocks.given(program)
    child = subprocess.Popen(
        given.argv, env=given.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with child:

        def ahead() -> float:
            assert child.stdin
            assert child.stdout
            print(file=child.stdin, flush=True)
            wall, monotonic = map(float, child.stdout.readline().split())
            assert abs(monotonic - time.monotonic()) < NEAR_S
            return wall - time.time()

        assert abs(ahead()) < NEAR_S
        asyncio.run(clocks.begin("audit"))
        assert abs(ahead()) < NEAR_S
        asyncio.run(clocks.begin("user"))
        assert abs(ahead() - AHEAD_S) < NEAR_S
        asyncio.run(clocks.end("user"))
        assert abs(ahead()) < NEAR_S


def test_without_a_compiler_no_clock_can_be_moved_and_programs_run_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    clocks = clocks_of(["user"], tmp_path)
    program = Program("user", (), {}, tmp_path / "log", lambda: None)
    assert clocks.obstacle("user") == NO_COMPILER
    assert clocks.given(program) == program
