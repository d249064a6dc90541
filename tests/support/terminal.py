"""A command that stays up in a terminal of its own, as the documented `make run` does."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

from services.workbench.local.processes import probe
from services.workbench.polling import until
from services.workbench.settings import WorkbenchSettings
from tests.support.command_blocks import PATIENCE_S, ROOT, argv, environment

PAGE_PORT = WorkbenchSettings().page_port


@contextlib.contextmanager
def in_another_terminal(commands: str, log: Path, folder: Path = ROOT) -> Iterator[None]:
    """Run commands until the end of the block, then end them by Ctrl-C; the block begins when the live page answers."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            argv(commands), cwd=folder, env=environment(), stdout=output, stderr=output, start_new_session=True
        )
    try:
        until("the live page", lambda: probe("127.0.0.1", PAGE_PORT, "/"), lambda seen: seen is None, PATIENCE_S)
        yield
    finally:
        os.killpg(process.pid, signal.SIGINT)
        # The shell ends by the signal that it got, as the terminal's Ctrl-C reaches the whole group.
        assert process.wait(PATIENCE_S) in {0, -signal.SIGINT}, log.read_text()[-3000:]
        assert "stopped sink, broker" in log.read_text()
