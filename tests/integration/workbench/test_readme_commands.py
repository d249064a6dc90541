"""The README's first ten minutes, executed block by block, in order, as they are written."""

import contextlib
from pathlib import Path

import pytest

from tests.support.command_blocks import blocks_for, execute
from tests.support.terminal import in_another_terminal

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("default_ports")]


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
