"""The recipes of docs/extending.md, applied to a copy of the repository and checked by the commands of the page."""

import contextlib
import shutil
from pathlib import Path

import pytest

from tests.support.command_blocks import ROOT, blocks_for, execute
from tests.support.repository_copy import COMMIT, copied
from tests.support.terminal import in_another_terminal

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("default_ports")]

PAGE = "docs/extending.md"
SET_UP = ("requirements.lock", "requirements-parquet.lock", "services/workbench/local/pom.xml")


def a_repository(folder: Path) -> Path:
    """Return a copy of this repository, with the cache of its types."""
    copied(folder, ("venv", "kafka"), SET_UP)
    if (ROOT / ".mypy_cache").is_dir():
        shutil.copytree(ROOT / ".mypy_cache", folder / ".mypy_cache")
    return folder


def do(commands: str, folder: Path) -> None:
    code, output = execute(commands, folder=folder)
    assert code == 0, f"{commands}{output}"


def test_the_recipes_pass_their_checks_and_what_they_add_arrives_at_every_reader(tmp_path: Path) -> None:
    folder = a_repository(tmp_path)
    do(COMMIT, folder)
    (folder / "recipes.diff").write_text("".join(block.text for block in blocks_for(__file__, PAGE, "diff")))
    do("git apply recipes.diff", folder)
    with contextlib.ExitStack() as stack:
        for block in blocks_for(__file__, PAGE):
            if block.note == "runs until the end":
                stack.enter_context(in_another_terminal(block.text, tmp_path / "run.log", folder))
            else:
                do(block.text, folder)
