"""The README's first ten minutes, executed block by block, in order, as they are written."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.workbench.local.processes import probe
from services.workbench.polling import until
from services.workbench.settings import WorkbenchSettings
from tests.support.command_blocks import PATIENCE_S, ROOT, argv, blocks_for, environment, execute

pytestmark = pytest.mark.long

PAGE_PORT = WorkbenchSettings().page_port


@contextlib.contextmanager
def in_another_terminal(commands: str, log: Path) -> Iterator[None]:
    with log.open("wb") as output:
        process = subprocess.Popen(
            argv(commands), cwd=ROOT, env=environment(), stdout=output, stderr=output, start_new_session=True
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
    blocks = blocks_for(__file__)
    assert [block.note for block in blocks if block.note] == ["fails", "runs until the end"]
    with contextlib.ExitStack() as stack:
        for block in blocks:
            if block.note == "runs until the end":
                stack.enter_context(in_another_terminal(block.text, tmp_path / "run.log"))
                continue
            code, output = execute(block.text)
            assert (code != 0) is (block.note == "fails"), f"{block.text}{output}"
