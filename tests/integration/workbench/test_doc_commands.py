"""The commands of docs that change files of the checkout, executed on a copy of those files."""

import shutil
from pathlib import Path

import pytest

from tests.support.command_blocks import ROOT, blocks_for, execute

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("default_ports")]

BENCH = Path("services/workbench/bench")


def test_the_environment_of_the_compared_libraries_is_locked_again_by_the_documented_command(tmp_path: Path) -> None:
    (tmp_path / ".eventline").symlink_to(ROOT / ".eventline")
    (tmp_path / BENCH).mkdir(parents=True)
    shutil.copy(ROOT / BENCH / "requirements.in", tmp_path / BENCH)
    [block] = blocks_for(__file__, "docs/bench.md")
    code, output = execute(block.text, folder=tmp_path)
    assert code == 0, output
    locked = (tmp_path / BENCH / "requirements.lock").read_text()
    assert "aiokafka==" in locked
    assert "--hash=sha256:" in locked
