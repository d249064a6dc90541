"""The README's first ten minutes, executed block by block, in order, as they are written."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.workbench.local.processes import probe
from services.workbench.polling import until
from services.workbench.settings import WorkbenchSettings

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[3]
README = (ROOT / "README.md").read_text()
SECTION = README[README.index("## The first ten minutes") : README.index("## In containers")]
BLOCK = re.compile(r"(?:<!-- (?P<note>.*?) -->\n)?```sh\n(?P<commands>.*?)```", re.DOTALL)
PAGE_PORT = WorkbenchSettings().page_port
PATIENCE_S = 300.0


def clean() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("APP_", "MAKE", "MFLAGS"))}


def argv(commands: str) -> tuple[str, ...]:
    return (shutil.which("bash") or "bash", "-euo", "pipefail", "-c", commands)


def done(commands: str) -> tuple[int, str]:
    """Run commands to their end. Returns the exit code and the end of the output."""
    run = subprocess.run(
        argv(commands),
        cwd=ROOT,
        env=clean(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    return run.returncode, run.stdout[-3000:]


@contextlib.contextmanager
def in_another_terminal(commands: str, log: Path) -> Iterator[None]:
    with log.open("wb") as output:
        process = subprocess.Popen(
            argv(commands), cwd=ROOT, env=clean(), stdout=output, stderr=output, start_new_session=True
        )
    try:
        until("the live page", lambda: probe("127.0.0.1", PAGE_PORT, "/"), lambda seen: seen is None, PATIENCE_S)
        yield
    finally:
        os.killpg(process.pid, signal.SIGINT)
        # The shell ends by the signal that it got, as the terminal's Ctrl-C reaches the whole group.
        assert process.wait(PATIENCE_S) in {0, -signal.SIGINT}, log.read_text()[-3000:]
        assert "stopped sink, broker" in log.read_text()


def test_every_block_of_the_first_ten_minutes_does_what_it_says(tmp_path: Path) -> None:
    blocks = [(found["note"], found["commands"]) for found in BLOCK.finditer(SECTION)]
    assert [note for note, _ in blocks if note] == ["fails", "runs until the end"]
    with contextlib.ExitStack() as stack:
        for note, commands in blocks:
            if note == "runs until the end":
                stack.enter_context(in_another_terminal(commands, tmp_path / "run.log"))
                continue
            code, output = done(commands)
            assert (code != 0) is (note == "fails"), f"{commands}{output}"
