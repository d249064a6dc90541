"""The commands of docs/reliability.md on a system that runs: it is well, and then changed in three places."""

import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from services.workbench.reconcile.history import read, recording
from tests.integration.workbench.test_run import running
from tests.support.command_blocks import ROOT, blocks_for, execute
from tests.support.console_process import console, own_settings

pytestmark = pytest.mark.long


def test_a_loaded_system_has_no_anomaly_until_it_is_changed(tmp_path: Path) -> None:
    (block,) = blocks_for(__file__)
    settings, history = own_settings(tmp_path), tmp_path / "history.jsonl"
    (tmp_path / ".eventline").symlink_to(ROOT / ".eventline")
    with running(settings, tmp_path / "run.log"):
        code, output = execute(block.text, settings | {"PYTHONPATH": str(ROOT)}, tmp_path)
        assert code == 0, output
        assert "Nothing missing, nothing repeated." in output
        assert "not checked" not in output
        wrong = changed(tmp_path / "run", history)
        code, output = console(settings, "reconcile", "--history", str(history), "--within", "1")
    lines = output.splitlines()
    assert code == 1, output
    assert any(line.startswith(f"wrong projection: user {wrong}: row at version 90") for line in lines), output
    assert any(line.startswith("inconsistent offsets: audit's entry for user.") for line in lines), output
    assert any(line.startswith(f"lost write: register of {wrong} was answered with") for line in lines), output
    assert sum(": " in line and "journeys" in line for line in lines) == 2, output


def changed(folder: Path, history: Path) -> str:
    """Change a user's row, an audit entry, and the answer in a client's history; return the user's id."""
    last = next(one for one in reversed(list(read(history))) if one.is_read)
    with recording(history) as recorder:
        assert recorder is not None
        recorder.add(msgspec.structs.replace(last, kind="register", command="never", version=91))
    with closing(sqlite3.connect(folder / "user.db")) as users, users:
        users.execute("UPDATE users SET version = 90 WHERE user_id = ?", (last.user_id,))
    with closing(sqlite3.connect(folder / "audit.db")) as audit, audit:
        audit.execute("UPDATE entries SET value = CAST('{}' AS BLOB) WHERE position = 1")
    return last.user_id
